/* Answers of a chat service: accepted means a text, refused means words. */
#include <stdlib.h>

#include "eval/chat_client.h"
#include "eval/judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    r1i_chat_reply r;
    r1_error err = {0};
    const r1_status st = r1i_chat_reply_parse((const char *)data, size, &r, &err);
    if ((st == R1_OK) != (r.text != NULL) || (st != R1_OK && !err.message[0])) abort();
    r1i_chat_reply_free(&r);
    const char verdict = r1i_judge_read((const char *)data, size, "0123456789abcdef", false);
    if (verdict && verdict != 'c' && verdict != 'i' && verdict != 'n') abort();
    return 0;
}
