/* Where the answer part begins and ends. */
#include "reward/extract.h"

/* Written by templates after the answer; some engines leave them in the text. */
static r1i_slice without_end_tokens(r1i_slice t)
{
    static const char deepseek[] = "<\xEF\xBD\x9C" "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>";
    static const char *const ends[] = {deepseek, "<|im_end|>", "<|endoftext|>",
                                       "<|eot_id|>", "</s>", "<|end_of_text|>"};
    for (size_t k = 0; k < sizeof ends / sizeof *ends;) {
        const size_t n = strlen(ends[k]);
        t = r1i_slice_trim(t);
        if (n <= t.n && memcmp(t.s + t.n - n, ends[k], n) == 0) {
            t.n -= n;
            k = 0;
        } else {
            k++;
        }
    }
    return t;
}

static r1i_slice inside_answer_tags(r1i_slice t)
{
    const r1i_slice open = R1I_SLICE("<answer>"), close = R1I_SLICE("</answer>");
    const size_t begin = r1i_slice_find_last(t, open);
    if (begin == t.n) return t;
    r1i_slice inner = r1i_slice_from(t, begin + open.n);
    inner.n = r1i_slice_find(inner, 0, close);
    return inner;
}

bool r1i_answer_part(r1i_slice completion, bool thinking_open, r1i_slice *part, const char **why)
{
    const r1i_slice open = R1I_SLICE("<think>"), close = R1I_SLICE("</think>");
    const size_t closed = r1i_slice_find_last(completion, close);
    *part = completion;
    if (closed < completion.n) {
        *part = r1i_slice_from(completion, closed + close.n);
    } else if (thinking_open || r1i_slice_find_last(completion, open) < completion.n) {
        *why = "the thinking was never closed, so there is no answer part";
        return false;
    }
    /* a block opened again after the last closer never ended */
    const size_t again = r1i_slice_find(*part, 0, open);
    if (closed < completion.n && again < part->n) part->n = again;
    *part = r1i_slice_trim(inside_answer_tags(without_end_tokens(*part)));
    if (part->n == 0) {
        *why = "there is no text after the thinking";
        return false;
    }
    return true;
}
