/* The pre-tokenisers that GGUF files name in tokenizer.ggml.pre. The patterns are those of the models' own
 * tokenizer.json, spelled with (?i:) where the originals are. */
#include <string.h>

#include "tokenizer/tok.h"

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define TAIL "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define TAIL_SLASH "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define QWEN2 CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}" TAIL
#define LLAMA3 CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}" TAIL
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define GPT4O "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" CONTRACTIONS "?|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER "*" \
    CONTRACTIONS "?|\\p{N}{1,3}" TAIL_SLASH
/* a letter or mark that is not Chinese: Kimi writes it as an intersection of sets */
#define K2_UPPER "(?:(?!\\p{Han})" UPPER ")"
#define K2_LOWER "(?:(?!\\p{Han})" LOWER ")"
#define CJK "[\xE4\xB8\x80-\xE9\xBE\xA5\xE0\xA0\x80-\xE4\xB8\x80\xEA\xB0\x80-\xED\x9F\xBF]+" /* 4E00-9FA5, 0800-4E00, AC00-D7FF */
#define WORDS_OF_BLOOM " ?[^(\\s|.,!?\xE2\x80\xA6\xE3\x80\x82\xEF\xBC\x8C\xE3\x80\x81\xE0\xA5\xA4\xDB\x94\xD8\x8C)]+"
#define LATIN_GREEK_CYRILLIC                                                                                           \
    "\\s?[A-Za-z\\x{b5}\\x{c0}-\\x{d6}\\x{d8}-\\x{f6}\\x{f8}-\\x{1ba}\\x{1bc}-\\x{1bf}\\x{1c4}-\\x{293}\\x{295}-\\x{2af}" \
    "\\x{370}-\\x{373}\\x{376}\\x{377}\\x{37b}-\\x{37d}\\x{37f}\\x{386}\\x{388}-\\x{38a}\\x{38c}\\x{38e}-\\x{3a1}"     \
    "\\x{3a3}-\\x{3f5}\\x{3f7}-\\x{481}\\x{48a}-\\x{52f}\\x{531}-\\x{556}\\x{10a0}-\\x{10c5}\\x{13a0}-\\x{13f5}"       \
    "\\x{13f8}-\\x{13fd}\\x{1c90}-\\x{1cba}\\x{1cbd}-\\x{1cbf}\\x{1d00}-\\x{1d2b}\\x{1d6b}-\\x{1d77}\\x{1d79}-\\x{1d9a}" \
    "\\x{1e00}-\\x{1f15}\\x{1f18}-\\x{1f1d}\\x{1f20}-\\x{1f45}\\x{1f48}-\\x{1f4d}\\x{1f50}-\\x{1f57}\\x{1f59}\\x{1f5b}" \
    "\\x{1f5d}\\x{1f5f}-\\x{1f7d}\\x{1f80}-\\x{1fb4}\\x{1fb6}-\\x{1fbc}\\x{1fbe}\\x{1fc2}-\\x{1fc4}\\x{1fc6}-\\x{1fcc}" \
    "\\x{1fd0}-\\x{1fd3}\\x{1fd6}-\\x{1fdb}\\x{1fe0}-\\x{1fec}\\x{1ff2}-\\x{1ff4}\\x{1ff6}-\\x{1ffc}\\x{2102}\\x{2107}" \
    "\\x{210a}-\\x{2113}\\x{2115}\\x{2119}-\\x{211d}\\x{2124}\\x{2126}\\x{2128}\\x{212a}-\\x{212d}\\x{212f}-\\x{2134}" \
    "\\x{2139}\\x{213c}-\\x{213f}\\x{2145}-\\x{2149}\\x{214e}\\x{2183}\\x{2184}\\x{2c00}-\\x{2c7b}\\x{2c7e}-\\x{2ce4}" \
    "\\x{2ceb}-\\x{2cee}\\x{2cf2}\\x{2cf3}\\x{a640}-\\x{a66d}\\x{a680}-\\x{a69b}\\x{a722}-\\x{a76f}\\x{a771}-\\x{a787}" \
    "\\x{a78b}-\\x{a78e}\\x{ab70}-\\x{abbf}\\x{fb00}-\\x{fb06}\\x{fb13}-\\x{fb17}\\x{ff21}-\\x{ff3a}\\x{ff41}-\\x{ff5a}" \
    "\\x{10400}-\\x{1044f}\\x{104b0}-\\x{104d3}\\x{104d8}-\\x{104fb}\\x{10c80}-\\x{10cb2}\\x{10cc0}-\\x{10cf2}"        \
    "\\x{118a0}-\\x{118df}\\x{1e900}-\\x{1e943}]+"

enum { NFC = 1, IGNORE_MERGES = 2, BOS = 4, DEEPSEEK3 = 8 };

typedef struct pre {
    const char *names;      /* separated by blanks */
    unsigned habits;
    const char *pattern[6]; /* steps, isolated */
} pre;

static const pre known[] = {
    {"deepseek-v3 hunyuan-dense joyai-llm", DEEPSEEK3, {NULL}},
    {"qwen2 deepseek-r1-qwen", NFC, {QWEN2}},
    {"stablelm2 megrez hunyuan solar-open grok-2 kormo f2llmv2", 0, {QWEN2}},
    {"qwen35", NFC, {CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*"
                     "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}},
    {"llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2", IGNORE_MERGES | BOS, {LLAMA3}},
    {"glm4", IGNORE_MERGES, {LLAMA3}},
    {"dbrx smaug-bpe chatglm-bpe", 0, {LLAMA3}},
    {"gpt-2 phi-2 mpt olmo jais jina-es jina-de jina-v1-en jina-v2-es jina-v2-de jina-v2-code roberta-bpe gigachat a.x-4.0 "
     "mellum modern-bert exaone4 trillion granite-docling", 0, {GPT2}},
    {"smollm starcoder refact command-r codeshell exaone minerva-7b", 0, {"\\p{N}", GPT2}},
    {"default", 0, {"[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"}},
    {"falcon", 0, {"[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT2, "[0-9][0-9][0-9]"}},
    {"deepseek-llm", 0, {"[\\r\\n]", LATIN_GREEK_CYRILLIC,
                         "\\s?[!-/:-~\\x{ff01}-\\x{ff0f}\\x{ff1a}-\\x{ff5e}\\x{2018}-\\x{201f}\\x{3000}-\\x{3002}]+",
                         "\\s+$", CJK, "\\p{N}+"}},
    {"deepseek-coder", 0, {"[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", CJK, "\\p{N}"}},
    {"tekken", IGNORE_MERGES | BOS, {"[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER
                                     "*|\\p{N}" TAIL_SLASH}},
    {"gpt-4o llama4 kanana2 minimax-m2", 0, {GPT4O}},
    {"tiny_aya", 0, {"\\d{1,3}(?=(?:\\d{3})*\\b)", GPT4O}},
    {"kimi-k2", 0, {"[\\p{Han}]+|[^\\r\\n\\p{L}\\p{N}]?" K2_UPPER "*" K2_LOWER "+" CONTRACTIONS "?|[^\\r\\n\\p{L}\\p{N}]?"
                    K2_UPPER "+" K2_LOWER "*" CONTRACTIONS "?|\\p{N}{1,3}" TAIL}},
    {"poro-chat bloom gpt3-finnish", 0, {WORDS_OF_BLOOM}},
    {"viking", 0, {WORDS_OF_BLOOM, "\\p{N}"}},
    {"superbpe", 0, {"\\p{N}+", "(?=(\\d{3})+(?!\\d))"}},
    {"bailingmoe bailingmoe2 llada-moe", 0, {"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}"
                                             "| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"}},
    {"seed-coder", 0, {CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|\\s*[\\r\\n]+"
                       "|\\s+(?!\\S)|\\s+"}},
    {"exaone-moe", 0, {CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}"
                       "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]?|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"}},
    {"chameleon", BOS, {"<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", "([\\t\\n]|    |  )", "\\p{N}",
                        "[\\p{P}!-/:-@\\[-`{-~]", GPT2}},
};

static bool listed(const char *names, const char *name, size_t n)
{
    for (const char *p = names; *p; p += *p == ' ') {
        const size_t len = strcspn(p, " ");
        if (len == n && memcmp(p, name, n) == 0) return true;
        p += len;
    }
    return false;
}

r1_status r1i_tok_use_pre(r1_tokenizer *t, const char *name, size_t n, r1_error *err)
{
    const pre *p = NULL;
    r1_status st = R1_OK;
    for (size_t i = 0; i < sizeof known / sizeof *known && !p; i++)
        if (listed(known[i].names, name, n)) p = &known[i];
    if (!p)
        return r1i_fail(err, R1_ERR_UNSUPPORTED, "tokenizer.ggml.pre \"%.*s\": unknown pre-tokeniser",
                        (int)(n < 64 ? n : 64), name);
    t->ignore_merges = p->habits & IGNORE_MERGES;
    t->adds_bos = p->habits & BOS;
    if (p->habits & NFC) st = r1i_normal_add(&t->normal, R1I_NORMAL_NFC, NULL, "", 0, err);
    const char *const *const list = p->habits & DEEPSEEK3 ? r1i_pattern_deepseek3 : p->pattern;
    const int steps = p->habits & DEEPSEEK3 ? 3 : 6;
    for (int i = 0; i < steps && list[i] && st == R1_OK; i++)
        st = r1i_splitter_add_pattern(&t->splitter, list[i], strlen(list[i]), R1I_SPLIT_ISOLATED, false, false, err);
    return st;
}
