/** Everything public of libr1. */
#ifndef R1_H
#define R1_H

#include "r1/base.h"
#include "r1/bench.h"
#include "r1/chat.h"
#include "r1/checkpoint.h"
#include "r1/convert.h"
#include "r1/dtype.h"
#include "r1/engine.h"
#include "r1/eval.h"
#include "r1/lora.h"
#include "r1/model.h"
#include "r1/reward.h"
#include "r1/tensorfile.h"
#include "r1/tokenizer.h"
#include "r1/train.h"

#endif
