/* Words: numbers in English and Chinese, units, and which letters are a word rather than a product. */
#include "reward/math_lex.h"

#include <ctype.h>

static bool equals(const char *s, size_t n, const char *word)
{
    return strlen(word) == n && strncasecmp(s, word, n) == 0;
}

static int small_word(const char *s, size_t n)
{
    static const char *const words[] = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
        "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
    static const char *const tens[] = {"twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"};
    for (int i = 0; i < 20; i++)
        if (equals(s, n, words[i])) return i;
    for (int i = 0; i < 8; i++)
        if (equals(s, n, tens[i])) return 20 + 10 * i;
    return -1;
}

static bool english_number(const char *s, size_t n, int64_t *value)
{
    int64_t total = 0, part = 0;
    bool any = false, minus = false;
    for (size_t i = 0; i < n;) {
        if (s[i] == ' ' || s[i] == '-') {
            i++;
            continue;
        }
        size_t w = 0;
        while (i + w < n && isalpha((unsigned char)s[i + w])) w++;
        if (w == 0) return false;
        const int v = small_word(s + i, w);
        if (v >= 0) {
            if (part % 10 != 0 && any) return false;
            part += v;
        } else if (equals(s + i, w, "hundred")) part = (part ? part : 1) * 100;
        else if (equals(s + i, w, "thousand")) total += (part ? part : 1) * 1000, part = 0;
        else if (equals(s + i, w, "million")) total += (part ? part : 1) * 1000000, part = 0;
        else if (equals(s + i, w, "billion")) total += (part ? part : 1) * 1000000000, part = 0;
        else if (equals(s + i, w, "and") && any) {
            i += w;
            continue;
        } else if ((equals(s + i, w, "minus") || equals(s + i, w, "negative")) && !any && !minus) {
            minus = true;
            i += w;
            continue;
        } else return false;
        any = true;
        if (total > (int64_t)1 << 50) return false;
        i += w;
    }
    *value = minus ? -(total + part) : total + part;
    return any;
}

static bool chinese_number(const char *s, size_t n, int64_t *value)
{
    static const struct { const char *s; int v; } digits[] = {{"零", 0}, {"〇", 0}, {"一", 1}, {"二", 2}, {"两", 2}, {"三", 3}, {"四", 4}, {"五", 5}, {"六", 6},
        {"七", 7}, {"八", 8}, {"九", 9}, {"十", 10}, {"百", 100}, {"千", 1000}, {"万", 10000}, {"亿", 100000000}};
    int64_t total = 0, section = 0, digit = -1;
    if (n == 0 || n % 3 != 0 || n > 60) return false;
    for (size_t i = 0; i < n; i += 3) {
        int v = -1;
        for (size_t k = 0; k < sizeof digits / sizeof *digits; k++)
            if (memcmp(s + i, digits[k].s, 3) == 0) v = digits[k].v;
        if (v < 0) return false;
        if (v < 10) {
            if (digit > 0) return false;
            digit = v;
        } else if (v < 10000) {
            section += (digit < 0 ? 1 : digit) * v;
            digit = -1;
        } else {
            total = (total + section + (digit > 0 ? digit : 0)) * v;
            section = 0;
            digit = -1;
            if (total > (int64_t)1 << 50) return false;
        }
    }
    *value = total + section + (digit > 0 ? digit : 0);
    return true;
}

bool r1i_math_number_word(const char *s, size_t n, int64_t *value)
{
    while (n && *s == ' ') s++, n--;
    while (n && s[n - 1] == ' ') n--;
    return n && n < 200 && ((unsigned char)*s < 0x80 ? english_number(s, n, value) : chinese_number(s, n, value));
}

const char *r1i_math_words(r1i_mem *m, const char *s, size_t n)
{
    r1i_mtext t = {.mem = m};
    bool gap = false;
    r1i_mtext_put(&t, "", 0);
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)s[i];
        const bool skip = c == ' ' || c == '~' || c == '\t' || c == '\n' || c == '\r' || c == '$' || c == '"' || c == '{' || c == '}';
        if (c == '\\') { /* spacing commands; others keep their name */
            if (i + 1 < n && strchr(" ,;!:", s[i + 1])) i++;
            gap = true;
            continue;
        }
        if (skip) {
            gap = true;
            continue;
        }
        if (gap && t.n) r1i_mtext_put(&t, " ", 1);
        gap = false;
        const char lower = (char)(c < 0x80 ? tolower(c) : c);
        r1i_mtext_put(&t, &lower, 1);
    }
    while (t.n && strchr(".,;:!? ", t.s[t.n - 1])) t.s[--t.n] = 0;
    return t.s;
}

/* name, base unit, numerator and denominator of the scale */
typedef struct unit_row {
    const char *name, *base;
    int64_t p, q;
} unit_row;
static const unit_row units[] = {
    {"m", "m", 1, 1}, {"meter", "m", 1, 1}, {"metre", "m", 1, 1}, {"cm", "m", 1, 100}, {"centimeter", "m", 1, 100}, {"centimetre", "m", 1, 100},
    {"mm", "m", 1, 1000}, {"millimeter", "m", 1, 1000}, {"millimetre", "m", 1, 1000}, {"dm", "m", 1, 10}, {"km", "m", 1000, 1}, {"kilometer", "m", 1000, 1}, {"kilometre", "m", 1000, 1},
    {"in", "m", 254, 10000}, {"inch", "m", 254, 10000}, {"inche", "m", 254, 10000}, {"ft", "m", 3048, 10000}, {"foot", "m", 3048, 10000}, {"feet", "m", 3048, 10000},
    {"yd", "m", 9144, 10000}, {"yard", "m", 9144, 10000}, {"mi", "m", 1609344, 1000}, {"mile", "m", 1609344, 1000}, {"nm", "m", 1, 1000000000},
    {"g", "g", 1, 1}, {"gram", "g", 1, 1}, {"kg", "g", 1000, 1}, {"kilogram", "g", 1000, 1}, {"mg", "g", 1, 1000}, {"lb", "g", 45359237, 100000}, {"pound", "g", 45359237, 100000},
    {"oz", "g", 28349523125, 1000000000}, {"ounce", "g", 28349523125, 1000000000}, {"ton", "t", 1, 1}, {"tonne", "g", 1000000, 1},
    {"s", "s", 1, 1}, {"sec", "s", 1, 1}, {"second", "s", 1, 1}, {"min", "s", 60, 1}, {"minute", "s", 60, 1}, {"h", "s", 3600, 1}, {"hr", "s", 3600, 1}, {"hour", "s", 3600, 1},
    {"day", "s", 86400, 1}, {"week", "s", 604800, 1}, {"month", "month", 1, 1}, {"year", "month", 12, 1}, {"yr", "month", 12, 1}, {"ms", "s", 1, 1000},
    {"dollar", "$", 1, 1}, {"usd", "$", 1, 1}, {"cent", "$", 1, 100}, {"rmb", "yuan", 1, 1}, {"yuan", "yuan", 1, 1}, {"euro", "eur", 1, 1}, {"rs", "rs", 1, 1}, {"rupee", "rs", 1, 1},
    {"l", "m^3", 1, 1000}, {"liter", "m^3", 1, 1000}, {"litre", "m^3", 1, 1000}, {"ml", "m^3", 1, 1000000}, {"milliliter", "m^3", 1, 1000000}, {"gallon", "gal", 1, 1}, {"quart", "gal", 1, 4}, {"pint", "gal", 1, 8}, {"cup", "gal", 1, 16},
    {"degree", "deg", 1, 1}, {"deg", "deg", 1, 1}, {"radian", "rad", 1, 1}, {"rad", "rad", 1, 1}, {"percent", "%", 1, 1}, {"%", "%", 1, 1}, {"pct", "%", 1, 1},
    {"mph", "m/s", 1609344, 3600000}, {"kph", "m/s", 1000, 3600}, {"km/h", "m/s", 1000, 3600}, {"m/s", "m/s", 1, 1}, {"mi/h", "m/s", 1609344, 3600000},
    {"hz", "1/s", 1, 1}, {"n", "n", 1, 1}, {"newton", "n", 1, 1}, {"j", "j", 1, 1}, {"joule", "j", 1, 1}, {"w", "w", 1, 1}, {"watt", "w", 1, 1}, {"v", "v", 1, 1}, {"volt", "v", 1, 1},
    {"acre", "acre", 1, 1}, {"unit", "unit", 1, 1}, {"mol", "mol", 1, 1}, {"pa", "pa", 1, 1}, {"kpa", "pa", 1000, 1}, {"a", "ampere", 1, 1},
    {"米", "m", 1, 1}, {"厘米", "m", 1, 100}, {"千米", "m", 1000, 1}, {"公里", "m", 1000, 1}, {"元", "yuan", 1, 1}, {"度", "deg", 1, 1}, {"克", "g", 1, 1}, {"千克", "g", 1000, 1}, {"秒", "s", 1, 1}, {"分钟", "s", 60, 1}, {"小时", "s", 3600, 1}, {"天", "s", 86400, 1}, {"平方米", "m^2", 1, 1}, {"平方厘米", "m^2", 1, 10000}, {"立方厘米", "m^3", 1, 1000000}, {"立方米", "m^3", 1, 1},
};

static const unit_row *unit_of(const char *s, size_t n)
{
    const char *const ascii = s;
    for (int plural = 0; plural < 2; plural++) {
        for (size_t i = 0; i < sizeof units / sizeof *units; i++)
            if (equals(ascii, n, units[i].name) && !(n == 1 && *ascii != units[i].name[0])) return &units[i];
        if (n > 2 && ascii[n - 1] == 's') n--;
        else break;
    }
    return NULL;
}

/* One unit with its power: cm, square feet, s^2. */
static bool unit_power(const char *s, size_t n, const unit_row **u, int *power)
{
    static const struct { const char *lead; int power; } leads[] = {{"square ", 2}, {"sq. ", 2}, {"sq ", 2}, {"cubic ", 3}, {"cu. ", 3}, {"cu ", 3}};
    *power = 1;
    while (n && *s == ' ') s++, n--;
    while (n && s[n - 1] == ' ') n--;
    for (size_t i = 0; i < sizeof leads / sizeof *leads; i++)
        if (n > strlen(leads[i].lead) && strncasecmp(s, leads[i].lead, strlen(leads[i].lead)) == 0) {
            *power = leads[i].power;
            s += strlen(leads[i].lead);
            n -= strlen(leads[i].lead);
            break;
        }
    if (n > 8 && strncasecmp(s + n - 8, " squared", 8) == 0) *power = 2, n -= 8;
    else if (n > 6 && strncasecmp(s + n - 6, " cubed", 6) == 0) *power = 3, n -= 6;
    if (n > 2 && s[n - 2] == '^' && s[n - 1] >= '2' && s[n - 1] <= '9') *power = s[n - 1] - '0', n -= 2;
    else if (n > 4 && s[n - 4] == '^' && s[n - 3] == '{' && s[n - 1] == '}' && s[n - 2] >= '2' && s[n - 2] <= '9')
        *power = s[n - 2] - '0', n -= 4;
    *u = unit_of(s, n);
    return *u != NULL;
}

const char *r1i_math_unit(r1i_mem *m, const char *s, size_t n, r1i_rat *scale)
{
    while (n && strchr(" ~\\,", *s)) s++, n--;
    while (n && strchr(" .~\\,", s[n - 1])) n--;
    if (n == 0 || n > 40) return NULL;
    const unit_row *u, *over = NULL;
    int power, under = 1;
    if (!unit_power(s, n, &u, &power)) { /* miles per hour, m/s^2, dollars per week */
        for (size_t i = 1; i + 1 < n && !u; i++) {
            const size_t w = s[i] == '/' ? 1 : n - i > 5 && strncasecmp(s + i, " per ", 5) == 0 ? 5 : 0;
            if (!w) continue;
            if (unit_power(s, i, &u, &power) && !unit_power(s + i + w, n - i - w, &over, &under)) u = NULL;
        }
    }
    if (!u) return NULL;
    *scale = r1i_rat_make(m, r1i_int_of(u->p), r1i_int_of(u->q));
    if (power != 1) *scale = r1i_rat_pow(m, scale, power);
    const char *name = power == 1 ? u->base : r1i_mem_printf(m, "%s^%d", u->base, power);
    if (over) {
        r1i_rat by = r1i_rat_make(m, r1i_int_of(over->q), r1i_int_of(over->p));
        if (under != 1) by = r1i_rat_pow(m, &by, under);
        *scale = r1i_rat_mul(m, scale, &by);
        name = r1i_mem_printf(m, under == 1 ? "%s/%s" : "%s/%s^%d", name, over->base, under);
    }
    return name;
}

bool r1i_math_is_word(const char *s, size_t n)
{
    static const char *const known[] = {"yes", "no", "odd", "even", "all", "one", "two", "six", "ten", "none", "am", "pm", "true", "false", "the", "per", "not", "is", "are",
        "of", "an", "any", "both", "min", "hrs", "day", "red", "blue", "man", "boy", "girl", "sun", "win", "tie", "draw", "left", "right", "up", "down", "unit", "feet", "way", "as", "on", "we", "it", "be", "at", "with", "has", "have", "that", "cat", "dog"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (equals(s, n, known[i])) return true;
    if (n < 3) return false;
    bool vowel = false, lower = true;
    for (size_t i = 0; i < n; i++) {
        vowel |= strchr("aeiouyAEIOUY", s[i]) != NULL;
        if (i && !islower((unsigned char)s[i])) lower = false;
    }
    if (!vowel || !lower) return false;
    if (isupper((unsigned char)*s)) return true; /* Bob, East */
    if (n < 4) return false;
    int64_t v;
    if (english_number(s, n, &v)) return true;
    int plain = 0; /* letters that stand for variables: abcd, xyzt */
    for (size_t i = 0; i < n; i++) plain += strchr("abcdkmnpqrstuvwxyz", s[i]) != NULL;
    return (size_t)plain < n || n > 4;
}
