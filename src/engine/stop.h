/* Stop strings over streamed text: text is passed on except what may still turn out to be the beginning of a stop
 * string, so the result does not depend on where token boundaries fall. */
#ifndef R1I_STOP_H
#define R1I_STOP_H

#include "base/env.h"

typedef struct r1i_stop {
    const char *const *string; /* [n], none empty; borrowed */
    int32_t n;
    char *text;                /* [cap] what was fed and not yet passed on; borrowed */
    size_t held, cap;
    int32_t matched;           /* index of the stop string that was found, or -1 */
} r1i_stop;

/* Room that `text` needs when at most `piece` bytes are fed at once. */
size_t r1i_stop_room(const char *const *string, int32_t n, size_t piece);
/* Feed bytes (no more than were planned for). The first *ready bytes of s->text are decided; call r1i_stop_pass when
 * they have been used. true: a stop string ended here; what precedes it is ready and the rest is gone. Of several
 * strings the one that ends first wins, of those the longest. */
bool r1i_stop_feed(r1i_stop *s, const char *bytes, size_t n, size_t *ready);
/* The end of the text: everything held is ready. */
size_t r1i_stop_finish(const r1i_stop *s);
void r1i_stop_pass(r1i_stop *s, size_t bytes);

#endif
