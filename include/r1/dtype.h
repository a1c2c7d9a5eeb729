/** Element and block types of stored tensors: safetensors' scalars and GGUF's blocks, one enumeration for both. */
#ifndef R1_DTYPE_H
#define R1_DTYPE_H

#include "r1/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, text, elements a block, bytes a block, GGUF type id or -1) */
#define R1_DTYPES(X)                      \
    X(F32, "F32", 1, 4, 0)                \
    X(F16, "F16", 1, 2, 1)                \
    X(BF16, "BF16", 1, 2, 30)             \
    X(F64, "F64", 1, 8, 28)               \
    X(F8_E4M3, "F8_E4M3", 1, 1, -1)       \
    X(F8_E5M2, "F8_E5M2", 1, 1, -1)       \
    X(F8_E8M0, "F8_E8M0", 1, 1, -1)       \
    X(BOOL, "BOOL", 1, 1, -1)             \
    X(U8, "U8", 1, 1, -1)                 \
    X(I8, "I8", 1, 1, 24)                 \
    X(U16, "U16", 1, 2, -1)               \
    X(I16, "I16", 1, 2, 25)               \
    X(U32, "U32", 1, 4, -1)               \
    X(I32, "I32", 1, 4, 26)               \
    X(U64, "U64", 1, 8, -1)               \
    X(I64, "I64", 1, 8, 27)               \
    X(Q4_0, "Q4_0", 32, 18, 2)            \
    X(Q4_1, "Q4_1", 32, 20, 3)            \
    X(Q5_0, "Q5_0", 32, 22, 6)            \
    X(Q5_1, "Q5_1", 32, 24, 7)            \
    X(Q8_0, "Q8_0", 32, 34, 8)            \
    X(Q2_K, "Q2_K", 256, 84, 10)          \
    X(Q3_K, "Q3_K", 256, 110, 11)         \
    X(Q4_K, "Q4_K", 256, 144, 12)         \
    X(Q5_K, "Q5_K", 256, 176, 13)         \
    X(Q6_K, "Q6_K", 256, 210, 14)         \
    X(IQ2_XXS, "IQ2_XXS", 256, 66, 16)    \
    X(IQ2_XS, "IQ2_XS", 256, 74, 17)      \
    X(IQ3_XXS, "IQ3_XXS", 256, 98, 18)    \
    X(IQ1_S, "IQ1_S", 256, 50, 19)        \
    X(IQ4_NL, "IQ4_NL", 32, 18, 20)       \
    X(IQ3_S, "IQ3_S", 256, 110, 21)       \
    X(IQ2_S, "IQ2_S", 256, 82, 22)        \
    X(IQ4_XS, "IQ4_XS", 256, 136, 23)     \
    X(IQ1_M, "IQ1_M", 256, 56, 29)        \
    X(MXFP4, "MXFP4", 32, 17, 39)

typedef enum r1_dtype {
#define X(name, text, elems, bytes, gguf) R1_DTYPE_##name,
    R1_DTYPES(X)
#undef X
    R1_DTYPE_COUNT
} r1_dtype;

/** "Q4_K"; "?" outside the enumeration. */
R1_API const char *r1_dtype_name(r1_dtype type);

#ifdef __cplusplus
}
#endif
#endif
