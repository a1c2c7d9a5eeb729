/* Muon: the hidden matrices move along the nearest semi-orthogonal matrix of their momentum, found by Newton-Schulz
 * steps in f32, and not by each element's own history. Embeddings, heads, norms and biases stay with AdamW. */
#ifndef R1I_MUON_H
#define R1I_MUON_H

#include "train/adamw.h"

/* Whether this parameter is one for Muon. */
bool r1i_muon_takes(const r1i_parameter *p);
/* Floats of scratch that one matrix of [rows, cols] takes. */
int64_t r1i_muon_scratch(int64_t rows, int64_t cols);
/* Bytes of scratch of all threads for the model's largest matrix. */
uint64_t r1i_muon_bytes(const r1_model *m, int threads);
/* data, momentum, grad: F32 panels of [rows, cols], rows a multiple of 16. With g = clip grad and M = 0.95 M + g: O is
 * g + 0.95 M after five quintic steps (3.4445, -4.7750, 2.0315), and w -= lr (0.2 sqrt(max(rows, cols)) O + decay w):
 * the factor gives O the size of AdamW's updates, so that one lr and one decay serve both (Moonlight, arXiv
 * 2502.16982). `tall` is max of the true rows and cols. */
void r1i_muon_matrix(float *data, float *momentum, const float *grad, int64_t rows, int64_t cols, int64_t tall,
                     float clip, float lr, float decay, float *scratch);
/* All that r1i_muon_takes; a matrix is one thread's, so no sum depends on their number. scratch: r1i_muon_bytes.
 * AdamW's step comes after it: it leaves these parameters alone (r1i_trained.muon) and rounds the panels. */
void r1i_muon_step(const r1i_adamw *o, const r1i_gradients *g, r1i_pool *pool, double norm, float *scratch);

#endif
