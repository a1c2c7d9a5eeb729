/* cmocka with the headers it asks for first; every test file begins with this. */
#ifndef R1_TEST_H
#define R1_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#endif
