#include "r1/base.h"

#ifndef R1_VERSION_STRING
#define R1_VERSION_STRING "0.1.0"
#endif

const char *r1_version(void) { return R1_VERSION_STRING; }
