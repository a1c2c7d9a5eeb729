/* TensorBoard event files: scalars by step, so that a run can be watched with the tool that people have open
 * already. */
#ifndef R1I_EVENTS_H
#define R1I_EVENTS_H

#include "base/error.h"

typedef struct r1i_events r1i_events; /* one thread */

/* dir/events.out.tfevents.<first_step>.r1, begun anew. first_step above 1: a run that goes on; the viewer drops what an
 * earlier file holds from there on. R1_ERR_IO. */
r1_status r1i_events_open(const char *dir, int64_t first_step, r1i_events **out, r1_error *err);
/* One scalar; wall_time in seconds since 1970. */
r1_status r1i_events_scalar(r1i_events *e, double wall_time, int64_t step, const char *tag, float value, r1_error *err);
/* What was written so far reaches the file. */
r1_status r1i_events_flush(r1i_events *e, r1_error *err);
void r1i_events_close(r1i_events *e); /* takes NULL */

/* CRC-32C (Castagnoli) of bytes; check value of "123456789": 0xe3069283. */
uint32_t r1i_crc32c(const void *bytes, size_t n);

#endif
