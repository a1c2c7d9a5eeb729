#include "reward/math_lex.h"

#include <ctype.h>

typedef struct lexer {
    r1i_mem *m;
    const char *s;
    size_t n, i;
    r1i_mtok *tok;
    int n_tok, cap;
    bool space;
    bool plain;       /* no backslash at all */
    bool code;        /* no backslash but a '*': the syntax of programs, where I and E are numbers */
    int dollars, boxes;
    uint64_t lists;   /* one bit an open bracket: whether a comma in it parts entries */
} lexer;

typedef struct spelling {
    const char *name;
    uint8_t type;
    int op;
    const char *s;
} spelling;

#define OP(name, op) {name, R1I_T_OP, op, NULL}
#define FN(name, id) {name, R1I_T_FN, R1I_MF_##id, NULL}
#define SY(name) {name, R1I_T_SYM, 0, name}
/* Commands of LaTeX, without the backslash. R1I_T_END: left out (op 1: with the group after it). */
static const spelling commands[] = {
    OP("frac", R1I_OP_FRAC), OP("dfrac", R1I_OP_FRAC), OP("tfrac", R1I_OP_FRAC), OP("cfrac", R1I_OP_FRAC),
    OP("sqrt", R1I_OP_SQRT), OP("binom", R1I_OP_BINOM), OP("dbinom", R1I_OP_BINOM), OP("tbinom", R1I_OP_BINOM),
    OP("choose", R1I_OP_CHOOSE), OP("over", R1I_OP_OVER), OP("boxed", R1I_OP_BOX), OP("fbox", R1I_OP_BOX),
    OP("framebox", R1I_OP_BOX), OP("cdot", '*'), OP("times", '*'), OP("ast", '*'), OP("star", '*'),
    OP("div", R1I_OP_DIV), OP("pm", R1I_OP_PM), OP("mp", R1I_OP_MP), OP("le", R1I_OP_LE), OP("leq", R1I_OP_LE),
    OP("leqslant", R1I_OP_LE), OP("leqq", R1I_OP_LE), OP("ge", R1I_OP_GE), OP("geq", R1I_OP_GE),
    OP("geqslant", R1I_OP_GE), OP("geqq", R1I_OP_GE), OP("lt", '<'), OP("gt", '>'), OP("ne", R1I_OP_NE),
    OP("neq", R1I_OP_NE), OP("approx", R1I_OP_APPROX), OP("approxeq", R1I_OP_APPROX), OP("simeq", R1I_OP_APPROX),
    OP("doteq", R1I_OP_APPROX), OP("sim", R1I_OP_APPROX), OP("cong", R1I_OP_EQUIV), OP("equiv", R1I_OP_EQUIV),
    OP("cup", R1I_OP_CUP), OP("bigcup", R1I_OP_CUP), OP("cap", R1I_OP_CAP), OP("bigcap", R1I_OP_CAP),
    OP("setminus", R1I_OP_SETMINUS), OP("backslash", R1I_OP_SETMINUS), OP("smallsetminus", R1I_OP_SETMINUS),
    OP("in", R1I_OP_IN), OP("notin", R1I_OP_NOTIN), OP("subset", R1I_OP_SUBSET), OP("subseteq", R1I_OP_SUBSET),
    OP("to", R1I_OP_TO), OP("rightarrow", R1I_OP_TO), OP("longrightarrow", R1I_OP_TO), OP("mapsto", R1I_OP_TO),
    OP("Rightarrow", R1I_OP_TO), OP("implies", R1I_OP_TO), OP("lor", R1I_OP_OR), OP("vee", R1I_OP_OR),
    OP("land", R1I_OP_AND), OP("wedge", R1I_OP_AND), OP("neg", R1I_OP_NOT), OP("lnot", R1I_OP_NOT),
    OP("mid", R1I_OP_MID), {"middle", 0, 0, NULL}, OP("lfloor", R1I_OP_LFLOOR), OP("rfloor", R1I_OP_RFLOOR),
    OP("lceil", R1I_OP_LCEIL), OP("rceil", R1I_OP_RCEIL), OP("langle", R1I_OP_LANGLE), OP("rangle", R1I_OP_RANGLE),
    OP("lvert", R1I_OP_LVERT), OP("rvert", R1I_OP_RVERT), OP("vert", '|'), OP("lVert", R1I_OP_NORM),
    OP("rVert", R1I_OP_NORM), OP("Vert", R1I_OP_NORM), OP("|", R1I_OP_NORM), OP("{", R1I_OP_LSET), OP("}", R1I_OP_RSET),
    OP("lbrace", R1I_OP_LSET), OP("rbrace", R1I_OP_RSET), OP("lbrack", '['), OP("rbrack", ']'),
    OP("degree", R1I_OP_DEG), OP("circ", R1I_OP_CIRC), OP("prime", '\''), OP("%", '%'),
    {"$", R1I_T_OP, R1I_OP_MONEY, "$"}, OP("#", '#'), OP("_", '_'), OP("&", '&'), OP("\\", R1I_OP_ROW),
    OP("cr", R1I_OP_ROW), OP("newline", R1I_OP_ROW), OP("emptyset", R1I_OP_EMPTY), OP("varnothing", R1I_OP_EMPTY),
    OP("O", R1I_OP_EMPTY), OP("ldots", R1I_OP_DOTS), OP("cdots", R1I_OP_DOTS), OP("dots", R1I_OP_DOTS),
    OP("dotsc", R1I_OP_DOTS), OP("dotsb", R1I_OP_DOTS), OP("vdots", R1I_OP_DOTS), OP("ddots", R1I_OP_DOTS),
    OP("partial", R1I_OP_PARTIAL), OP("R", R1I_OP_NUMBERS), OP("nabla", R1I_OP_NABLA),
    {"angle", R1I_T_OP, R1I_OP_ANGLE, "angle"}, {"measuredangle", R1I_T_OP, R1I_OP_ANGLE, "angle"},
    {"odot", R1I_T_OP, R1I_OP_ANGLE, "odot"}, SY("complement"), SY("top"), OP("forall", R1I_OP_FORALL),
    OP("exists", R1I_OP_FORALL), {"pounds", R1I_T_OP, R1I_OP_MONEY, "gbp"}, OP("bmod", R1I_OP_BMOD),
    OP("mod", R1I_OP_BMOD), OP("pmod", R1I_OP_PMOD), OP("colon", ':'), OP("lparen", '('), OP("rparen", ')'),
    OP("substack", R1I_OP_SUBSTACK), OP("dotsm", R1I_OP_DOTS), {"euro", R1I_T_OP, R1I_OP_MONEY, "eur"},
    {"yen", R1I_T_OP, R1I_OP_MONEY, "yuan"}, {"triangle", R1I_T_OP, R1I_OP_ANGLE, "triangle"},
    {"sum", R1I_T_BIG, R1I_MB_SUM, NULL}, {"prod", R1I_T_BIG, R1I_MB_PROD, NULL}, {"int", R1I_T_BIG, R1I_MB_INT, NULL},
    {"iint", R1I_T_BIG, R1I_MB_INT, "2"}, {"iiint", R1I_T_BIG, R1I_MB_INT, "3"}, {"oint", R1I_T_BIG, R1I_MB_INT, NULL},
    {"lim", R1I_T_BIG, R1I_MB_LIM, NULL}, {"overline", R1I_T_ACCENT, 0, "overline"},
    {"bar", R1I_T_ACCENT, 0, "overline"}, {"vec", R1I_T_ACCENT, 0, "vec"}, {"overrightarrow", R1I_T_ACCENT, 0, "vec"},
    {"hat", R1I_T_ACCENT, 0, "hat"}, {"widehat", R1I_T_ACCENT, 0, "hat"}, {"tilde", R1I_T_ACCENT, 0, "tilde"},
    {"widetilde", R1I_T_ACCENT, 0, "tilde"}, {"dot", R1I_T_ACCENT, 0, "dot"}, {"ddot", R1I_T_ACCENT, 0, "ddot"},
    {"underline", R1I_T_ACCENT, 0, "plain"}, {"overarc", R1I_T_ACCENT, 0, "arc"}, {"wideparen", R1I_T_ACCENT, 0, "arc"},
    {"underbrace", R1I_T_ACCENT, 0, "plain"}, {"overbrace", R1I_T_ACCENT, 0, "plain"},
    {"mathring", R1I_T_ACCENT, 0, "dot"}, {"begin", R1I_T_ENV, 1, NULL}, {"end", R1I_T_ENV, 0, NULL},
    {"pi", R1I_T_CONST, R1I_MC_PI, NULL}, {"uppi", R1I_T_CONST, R1I_MC_PI, NULL},
    {"infty", R1I_T_CONST, R1I_MC_INF, NULL}, {"imath", R1I_T_CONST, R1I_MC_I, NULL},
    {"inf", R1I_T_FN, R1I_MF_INF, NULL}, FN("sin", SIN), FN("cos", COS), FN("tan", TAN), FN("cot", COT), FN("sec", SEC),
    FN("csc", CSC), FN("tg", TAN), FN("ctg", COT), FN("arcsin", ASIN), FN("arccos", ACOS), FN("arctan", ATAN),
    FN("arccot", ACOT), FN("arcsec", ASEC), FN("arccsc", ACSC), FN("arctg", ATAN), FN("arcctg", ACOT), FN("sinh", SINH),
    FN("cosh", COSH), FN("tanh", TANH), FN("coth", COTH), FN("sech", SECH), FN("csch", CSCH), FN("arsinh", ASINH),
    FN("arcosh", ACOSH), FN("artanh", ATANH), FN("arcsinh", ASINH), FN("arccosh", ACOSH), FN("arctanh", ATANH),
    FN("asin", ASIN), FN("acos", ACOS), FN("atan", ATAN), FN("exp", EXP), FN("ln", LN), FN("log", LN), FN("lg", LOG),
    FN("gcd", GCD), FN("lcm", LCM), FN("max", MAX), FN("min", MIN), FN("det", DET), FN("arg", ARG), FN("Re", RE),
    FN("Im", IM), FN("dim", DIM), FN("sup", SUP), FN("Pr", PROB), FN("sgn", SIGN), SY("alpha"), SY("beta"), SY("gamma"),
    SY("delta"), SY("epsilon"), {"varepsilon", R1I_T_SYM, 0, "epsilon"}, SY("zeta"), SY("eta"), SY("theta"),
    {"vartheta", R1I_T_SYM, 0, "theta"}, SY("iota"), SY("kappa"), {"varkappa", R1I_T_SYM, 0, "kappa"}, SY("lambda"),
    SY("mu"), SY("nu"), SY("xi"), SY("omicron"), SY("rho"), {"varrho", R1I_T_SYM, 0, "rho"}, SY("sigma"),
    {"varsigma", R1I_T_SYM, 0, "sigma"}, SY("tau"), SY("upsilon"), SY("phi"), {"varphi", R1I_T_SYM, 0, "phi"},
    SY("chi"), SY("psi"), SY("omega"), SY("Gamma"), SY("Delta"), SY("Theta"), SY("Lambda"), SY("Xi"), SY("Pi"),
    SY("Sigma"), SY("Upsilon"), SY("Phi"), SY("Psi"), SY("Omega"), {"varpi", R1I_T_CONST, R1I_MC_PI, NULL},
    {"ell", R1I_T_SYM, 0, "l"}, SY("hbar"), SY("aleph"), {"mho", R1I_T_SYM, 0, "mho"}, SY("digamma"),
    {"jmath", R1I_T_SYM, 0, "j"}, SY("wp"), {"square", R1I_T_SYM, 0, "square"}, {"Box", R1I_T_SYM, 0, "square"},
    {"perp", R1I_T_SYM, 0, "perp"}, {"parallel", R1I_T_SYM, 0, "parallel"}, {"checkmark", R1I_T_TEXT, 0, "yes"},
    {"left", 0, 2, NULL}, {"right", 0, 2, NULL}, {"bigl", 0, 2, NULL}, {"bigr", 0, 2, NULL}, {"Bigl", 0, 2, NULL},
    {"Bigr", 0, 2, NULL}, {"big", 0, 2, NULL}, {"Big", 0, 2, NULL}, {"bigg", 0, 2, NULL}, {"Bigg", 0, 2, NULL},
    {"biggl", 0, 2, NULL}, {"biggr", 0, 2, NULL}, {"Biggl", 0, 2, NULL}, {"Biggr", 0, 2, NULL}, {"bigm", 0, 2, NULL},
    {"displaystyle", 0, 0, NULL}, {"textstyle", 0, 0, NULL}, {"scriptstyle", 0, 0, NULL}, {"limits", 0, 0, NULL},
    {"nolimits", 0, 0, NULL}, {",", 0, 0, NULL}, {";", 0, 0, NULL}, {":", 0, 0, NULL}, {"!", 0, 0, NULL},
    {" ", 0, 0, NULL}, {">", 0, 0, NULL}, {"quad", 0, 0, NULL}, {"qquad", 0, 0, NULL}, {"thinspace", 0, 0, NULL},
    {"hfill", 0, 0, NULL}, {"mathstrut", 0, 0, NULL}, {"rm", 0, 0, NULL}, {"bf", 0, 0, NULL}, {"it", 0, 0, NULL},
    {"tt", 0, 0, NULL}, {"cal", 0, 0, NULL}, {"large", 0, 0, NULL}, {"Large", 0, 0, NULL}, {"small", 0, 0, NULL},
    {"nonumber", 0, 0, NULL}, {"space", 0, 0, NULL}, {"/", 0, 0, NULL}, {"phantom", 0, 1, NULL}, {"hspace", 0, 1, NULL},
    {"vspace", 0, 1, NULL}, {"label", 0, 1, NULL}, {"tag", 0, 1, NULL}, {"color", 0, 1, NULL}, {"hphantom", 0, 1, NULL},
    {"vphantom", 0, 1, NULL}, {"hline", 0, 0, NULL}, {"(", 0, 0, NULL}, {")", 0, 0, NULL}, {"[", 0, 0, NULL},
    {"]", 0, 0, NULL}, {"enspace", 0, 0, NULL}, {"medspace", 0, 0, NULL}, {"thickspace", 0, 0, NULL},
    {"negthinspace", 0, 0, NULL}, {"boldsymbol", 0, 0, NULL}, {"bm", 0, 0, NULL}, {"mathop", 0, 3, NULL},
    {"ensuremath", 0, 3, NULL}, {"overset", 0, 1, NULL}, {"underset", 0, 1, NULL}, {"stackrel", 0, 1, NULL},
    {"therefore", 0, 0, NULL}, {"because", 0, 0, NULL}, {"mathrel", 0, 3, NULL}, {"mathbin", 0, 3, NULL},
};
/* Words outside LaTeX. */
static const spelling words[] = {
    FN("sin", SIN), FN("cos", COS), FN("tan", TAN), FN("cot", COT), FN("sec", SEC), FN("csc", CSC), FN("asin", ASIN),
    FN("acos", ACOS), FN("atan", ATAN), FN("acot", ACOT), FN("asec", ASEC), FN("acsc", ACSC), FN("arcsin", ASIN),
    FN("arccos", ACOS), FN("arctan", ATAN), FN("arccot", ACOT), FN("arcsec", ASEC), FN("arccsc", ACSC),
    FN("sinh", SINH), FN("cosh", COSH), FN("tanh", TANH), FN("coth", COTH), FN("sech", SECH), FN("csch", CSCH),
    FN("asinh", ASINH), FN("acosh", ACOSH), FN("atanh", ATANH), FN("acoth", ACOTH), FN("asech", ASECH),
    FN("acsch", ACSCH), FN("arcsinh", ASINH), FN("arccosh", ACOSH), FN("arctanh", ATANH), FN("arsinh", ASINH),
    FN("arcosh", ACOSH), FN("artanh", ATANH), FN("exp", EXP), FN("ln", LN), FN("log", LN), FN("lg", LOG),
    FN("abs", ABS), FN("Abs", ABS), FN("floor", FLOOR), FN("ceil", CEIL), FN("ceiling", CEIL), FN("factorial", FACT),
    FN("factorial2", FACT2), FN("binomial", BINOM), FN("binom", BINOM), FN("gcd", GCD), FN("lcm", LCM), FN("Mod", MOD),
    FN("max", MAX), FN("min", MIN), FN("Max", MAX), FN("Min", MIN), FN("sign", SIGN), FN("sgn", SIGN), FN("re", RE),
    FN("im", IM), FN("arg", ARG), FN("conjugate", CONJ), FN("det", DET), FN("trace", TRACE), FN("root", ROOT),
    FN("erf", ERF), FN("norm", NORM), FN("transpose", TRANSPOSE), FN("tg", TAN), FN("ctg", COT), FN("prob", PROB),
    FN("arc", ARC), FN("inner", INNER), OP("sqrt", R1I_OP_SQRT), OP("cbrt", R1I_OP_SQRT + 1000), OP("or", R1I_OP_OR),
    OP("Or", R1I_OP_OR), OP("OR", R1I_OP_OR), OP("and", R1I_OP_AND), OP("And", R1I_OP_AND), OP("AND", R1I_OP_AND),
    OP("mod", R1I_OP_BMOD), OP("in", R1I_OP_IN), OP("if", R1I_OP_IF), OP("when", R1I_OP_IF), OP("for", R1I_OP_IF),
    OP("where", R1I_OP_IF), OP("equals", '='), OP("union", R1I_OP_CUP), OP("U", R1I_OP_CUP + 1000),
    OP("degrees", R1I_OP_DEG), OP("degree", R1I_OP_DEG), OP("deg", R1I_OP_DEG), OP("percent", '%'),
    OP("emptyset", R1I_OP_EMPTY), OP("EmptySet", R1I_OP_EMPTY), OP("times", '*'), OP("otherwise", R1I_OP_IF),
    OP("to", R1I_OP_TO + 1000), {"pi", R1I_T_CONST, R1I_MC_PI, NULL}, {"Pi", R1I_T_CONST, R1I_MC_PI, NULL},
    {"oo", R1I_T_CONST, R1I_MC_INF, NULL}, {"inf", R1I_T_CONST, R1I_MC_INF, NULL},
    {"infty", R1I_T_CONST, R1I_MC_INF, NULL}, {"infinity", R1I_T_CONST, R1I_MC_INF, NULL},
    {"Infinity", R1I_T_CONST, R1I_MC_INF, NULL}, {"zoo", R1I_T_CONST, R1I_MC_CINF, NULL},
    {"nan", R1I_T_CONST, R1I_MC_NAN, NULL}, {"NaN", R1I_T_CONST, R1I_MC_NAN, NULL},
    {"undefined", R1I_T_CONST, R1I_MC_NAN, NULL}, {"Reals", R1I_T_OP, R1I_OP_NUMBERS, "R"},
    {"Integers", R1I_T_OP, R1I_OP_NUMBERS, "Z"}, {"Naturals", R1I_T_OP, R1I_OP_NUMBERS, "N"},
    {"Rationals", R1I_T_OP, R1I_OP_NUMBERS, "Q"}, {"Complexes", R1I_T_OP, R1I_OP_NUMBERS, "C"}, SY("alpha"), SY("beta"),
    SY("gamma"), SY("delta"), SY("epsilon"), SY("zeta"), SY("eta"), SY("theta"), SY("kappa"), SY("lambda"),
    {"lamda", R1I_T_SYM, 0, "lambda"}, SY("mu"), SY("nu"), SY("xi"), SY("rho"), SY("sigma"), SY("tau"), SY("phi"),
    SY("chi"), SY("psi"), SY("omega"), SY("iota"), SY("upsilon"), SY("Gamma"), SY("Delta"), SY("Theta"), SY("Lambda"),
    SY("Sigma"), SY("Phi"), SY("Psi"), SY("Omega"), SY("hbar"), SY("omicron"), SY("Xi"), SY("Upsilon"), SY("aleph"),
    SY("digamma"), SY("square"),
};
/* Words that mean something only before a bracket, and upright names in LaTeX. */
static const spelling call_words[] = {
    FN("sup", SUP), FN("dim", DIM), FN("prime", PRIME), FN("infimum", INF), FN("dfactorial", FACT2), FN("Re", RE),
    FN("Im", IM), FN("tr", TRACE), FN("Tr", TRACE), FN("rank", SIZE), FN("size", SIZE), FN("Gamma", GAMMA),
    FN("gamma", GAMMA), FN("zeta", ZETA), FN("mod", MOD), FN("norm", NORM),
};
typedef struct sign {
    uint32_t cp;
    uint8_t type;
    int op;
    const char *s;
} sign;
static const sign signs[] = {
    {0xA0, 0, 0, NULL}, {0xA2, R1I_T_TEXT, 0, "cents"}, {0xA3, R1I_T_OP, R1I_OP_MONEY, "gbp"},
    {0xA5, R1I_T_OP, R1I_OP_MONEY, "yuan"}, {0xAC, R1I_T_OP, R1I_OP_NOT, NULL}, {0xB0, R1I_T_OP, R1I_OP_DEG, NULL},
    {0xB1, R1I_T_OP, R1I_OP_PM, NULL}, {0xB7, R1I_T_OP, '*', NULL}, {0xBC, R1I_T_NUM, 0, "1/4"},
    {0xBD, R1I_T_NUM, 0, "1/2"}, {0xBE, R1I_T_NUM, 0, "3/4"}, {0xD7, R1I_T_OP, '*', NULL},
    {0xF7, R1I_T_OP, R1I_OP_DIV, NULL}, {0x3B1, R1I_T_SYM, 0, "alpha"}, {0x3B2, R1I_T_SYM, 0, "beta"},
    {0x3B3, R1I_T_SYM, 0, "gamma"}, {0x3B4, R1I_T_SYM, 0, "delta"}, {0x3B5, R1I_T_SYM, 0, "epsilon"},
    {0x3B6, R1I_T_SYM, 0, "zeta"}, {0x3B7, R1I_T_SYM, 0, "eta"}, {0x3B8, R1I_T_SYM, 0, "theta"},
    {0x3BA, R1I_T_SYM, 0, "kappa"}, {0x3BB, R1I_T_SYM, 0, "lambda"}, {0x3BC, R1I_T_SYM, 0, "mu"},
    {0x3BD, R1I_T_SYM, 0, "nu"}, {0x3BE, R1I_T_SYM, 0, "xi"}, {0x3C0, R1I_T_CONST, R1I_MC_PI, NULL},
    {0x3C1, R1I_T_SYM, 0, "rho"}, {0x3C3, R1I_T_SYM, 0, "sigma"}, {0x3C4, R1I_T_SYM, 0, "tau"},
    {0x3C6, R1I_T_SYM, 0, "phi"}, {0x3C7, R1I_T_SYM, 0, "chi"}, {0x3C8, R1I_T_SYM, 0, "psi"},
    {0x3C9, R1I_T_SYM, 0, "omega"}, {0x393, R1I_T_SYM, 0, "Gamma"}, {0x394, R1I_T_SYM, 0, "Delta"},
    {0x398, R1I_T_SYM, 0, "Theta"}, {0x39B, R1I_T_SYM, 0, "Lambda"}, {0x3A3, R1I_T_SYM, 0, "Sigma"},
    {0x3A6, R1I_T_SYM, 0, "Phi"}, {0x3A8, R1I_T_SYM, 0, "Psi"}, {0x3A9, R1I_T_SYM, 0, "Omega"},
    {0x3D5, R1I_T_SYM, 0, "phi"}, {0x2010, R1I_T_OP, '-', NULL}, {0x2011, R1I_T_OP, '-', NULL},
    {0x2012, R1I_T_OP, '-', NULL}, {0x2013, R1I_T_OP, '-', NULL}, {0x2014, R1I_T_OP, '-', NULL},
    {0x2018, R1I_T_OP, '\'', NULL}, {0x2019, R1I_T_OP, '\'', NULL}, {0x2022, R1I_T_OP, '*', NULL},
    {0x2026, R1I_T_OP, R1I_OP_DOTS, NULL}, {0x2032, R1I_T_OP, '\'', NULL}, {0x2044, R1I_T_OP, '/', NULL},
    {0x20AC, R1I_T_OP, R1I_OP_MONEY, "eur"}, {0x2102, R1I_T_OP, R1I_OP_NUMBERS, "C"},
    {0x2115, R1I_T_OP, R1I_OP_NUMBERS, "N"}, {0x211A, R1I_T_OP, R1I_OP_NUMBERS, "Q"},
    {0x211D, R1I_T_OP, R1I_OP_NUMBERS, "R"}, {0x2124, R1I_T_OP, R1I_OP_NUMBERS, "Z"}, {0x2153, R1I_T_NUM, 0, "1/3"},
    {0x2154, R1I_T_NUM, 0, "2/3"}, {0x2155, R1I_T_NUM, 0, "1/5"}, {0x2156, R1I_T_NUM, 0, "2/5"},
    {0x2157, R1I_T_NUM, 0, "3/5"}, {0x2158, R1I_T_NUM, 0, "4/5"}, {0x2159, R1I_T_NUM, 0, "1/6"},
    {0x215A, R1I_T_NUM, 0, "5/6"}, {0x215B, R1I_T_NUM, 0, "1/8"}, {0x215C, R1I_T_NUM, 0, "3/8"},
    {0x215D, R1I_T_NUM, 0, "5/8"}, {0x215E, R1I_T_NUM, 0, "7/8"}, {0x2190, R1I_T_OP, R1I_OP_TO, NULL},
    {0x2192, R1I_T_OP, R1I_OP_TO, NULL}, {0x2202, R1I_T_OP, R1I_OP_PARTIAL, NULL},
    {0x2205, R1I_T_OP, R1I_OP_EMPTY, NULL}, {0x2206, R1I_T_SYM, 0, "Delta"}, {0x2208, R1I_T_OP, R1I_OP_IN, NULL},
    {0x2209, R1I_T_OP, R1I_OP_NOTIN, NULL}, {0x220F, R1I_T_BIG, R1I_MB_PROD, NULL},
    {0x2211, R1I_T_BIG, R1I_MB_SUM, NULL}, {0x2212, R1I_T_OP, '-', NULL}, {0x2213, R1I_T_OP, R1I_OP_MP, NULL},
    {0x2215, R1I_T_OP, '/', NULL}, {0x2216, R1I_T_OP, R1I_OP_SETMINUS, NULL}, {0x2217, R1I_T_OP, '*', NULL},
    {0x2218, R1I_T_OP, R1I_OP_CIRC, NULL}, {0x2219, R1I_T_OP, '*', NULL}, {0x221A, R1I_T_OP, R1I_OP_SQRT, NULL},
    {0x221B, R1I_T_OP, R1I_OP_SQRT + 1000, NULL}, {0x221E, R1I_T_CONST, R1I_MC_INF, NULL},
    {0x2220, R1I_T_OP, R1I_OP_ANGLE, "angle"}, {0x25B3, R1I_T_OP, R1I_OP_ANGLE, "triangle"},
    {0x25B5, R1I_T_OP, R1I_OP_ANGLE, "triangle"}, {0x2223, R1I_T_OP, R1I_OP_MID, NULL},
    {0x2227, R1I_T_OP, R1I_OP_AND, NULL}, {0x2228, R1I_T_OP, R1I_OP_OR, NULL}, {0x2229, R1I_T_OP, R1I_OP_CAP, NULL},
    {0x222A, R1I_T_OP, R1I_OP_CUP, NULL}, {0x222B, R1I_T_BIG, R1I_MB_INT, NULL}, {0x2236, R1I_T_OP, ':', NULL},
    {0x2248, R1I_T_OP, R1I_OP_APPROX, NULL}, {0x2243, R1I_T_OP, R1I_OP_APPROX, NULL},
    {0x2260, R1I_T_OP, R1I_OP_NE, NULL}, {0x2261, R1I_T_OP, R1I_OP_EQUIV, NULL}, {0x2264, R1I_T_OP, R1I_OP_LE, NULL},
    {0x2265, R1I_T_OP, R1I_OP_GE, NULL}, {0x2282, R1I_T_OP, R1I_OP_SUBSET, NULL},
    {0x2286, R1I_T_OP, R1I_OP_SUBSET, NULL}, {0x22C5, R1I_T_OP, '*', NULL}, {0x22C3, R1I_T_OP, R1I_OP_CUP, NULL},
    {0x2308, R1I_T_OP, R1I_OP_LCEIL, NULL}, {0x2309, R1I_T_OP, R1I_OP_RCEIL, NULL},
    {0x230A, R1I_T_OP, R1I_OP_LFLOOR, NULL}, {0x230B, R1I_T_OP, R1I_OP_RFLOOR, NULL},
    {0x2A7D, R1I_T_OP, R1I_OP_LE, NULL}, {0x2A7E, R1I_T_OP, R1I_OP_GE, NULL}, {0x2266, R1I_T_OP, R1I_OP_LE, NULL},
    {0x2267, R1I_T_OP, R1I_OP_GE, NULL}, {0x27E8, R1I_T_OP, R1I_OP_LANGLE, NULL},
    {0x27E9, R1I_T_OP, R1I_OP_RANGLE, NULL}, {0x3001, R1I_T_OP, ',', NULL}, {0x3002, R1I_T_OP, '.', NULL},
    {0x3010, R1I_T_OP, '[', NULL}, {0x3011, R1I_T_OP, ']', NULL}, {0x6216, R1I_T_OP, R1I_OP_OR, NULL},
    {0x548C, R1I_T_OP, R1I_OP_AND, NULL}, {0x4E14, R1I_T_OP, R1I_OP_AND, NULL}, {0x4E0E, R1I_T_OP, R1I_OP_AND, NULL},
    {0x53CA, R1I_T_OP, R1I_OP_AND, NULL}, {0x2009, 0, 0, NULL}, {0x202F, 0, 0, NULL}, {0x3000, 0, 0, NULL},
    {0x200B, 0, 0, NULL}, {0xFEFF, 0, 0, NULL}, {0x2061, 0, 0, NULL}, {0x2062, 0, 0, NULL}, {0x2003, 0, 0, NULL},
    {0x2002, 0, 0, NULL}, {0xFFE5, R1I_T_OP, R1I_OP_MONEY, "yuan"}, {0x2103, R1I_T_OP, R1I_OP_DEG, NULL},
    {0x2033, R1I_T_OP, R1I_OP_ARCSEC, NULL}, {0x00B4, R1I_T_OP, '\'', NULL},
};

static r1i_mtok *emit(lexer *x, int type, int op, const char *s, size_t n, size_t at)
{
    if (x->n_tok == x->cap) {
        r1i_mtok *const grown = r1i_mem_take(x->m, sizeof *grown * (size_t)x->cap * 2);
        memcpy(grown, x->tok, sizeof *grown * (size_t)x->cap);
        x->tok = grown;
        x->cap *= 2;
    }
    r1i_mtok *const t = &x->tok[x->n_tok++];
    *t = (r1i_mtok){.type = (uint8_t)type, .space = x->space, .op = op, .s = s, .n = (uint32_t)n, .at = (uint32_t)at,
                    .end = (uint32_t)x->i};
    x->space = false;
    if (type == R1I_T_OP) {
        const bool set = op == '{' &&
            (x->n_tok < 2 || (t[-1].type == R1I_T_OP && strchr(",(=[", t[-1].op < 128 && t[-1].op ? t[-1].op : '#')));
        if (op == '(' || op == '[' || op == R1I_OP_LSET || op == R1I_OP_LANGLE || op == '{')
            x->lists = x->lists << 1 | (op != '{' || set);
        else if (op == ')' || op == ']' || op == R1I_OP_RSET || op == R1I_OP_RANGLE || op == '}') x->lists >>= 1;
    }
    return t;
}

static bool digit_at(const lexer *x, size_t i) { return i < x->n && x->s[i] >= '0' && x->s[i] <= '9'; }
static bool letter_at(const lexer *x, size_t i) { return i < x->n && isalpha((unsigned char)x->s[i]); }

static size_t digits_from(const lexer *x, size_t i)
{
    size_t k = i;
    while (digit_at(x, k)) k++;
    return k - i;
}

/* Bytes of a thousands separator at i that three digits follow, 0 for none. */
static size_t separator(const lexer *x, size_t i, bool *plain)
{
    static const char *const marks[] = {"{,}", "{,\\!}", ",\\!", ", \\!", "\\,", "\\ ", "{\\,}", "\\:", "\\;", "~", ",\\,", "\xE2\x80\x89", "\xE2\x80\xAF", "\xC2\xA0"};
    *plain = false;
    for (size_t k = 0; k < sizeof marks / sizeof *marks; k++) {
        const size_t w = strlen(marks[k]);
        if (x->n - i < w || memcmp(x->s + i, marks[k], w) != 0) continue;
        size_t skip = w;
        while (i + skip < x->n && x->s[i + skip] == ' ') skip++;
        if (digits_from(x, i + skip) == 3) return skip;
    }
    if (x->s[i] == ',' && !x->lists && digits_from(x, i + 1) == 3) {
        *plain = true;
        return 1;
    }
    if (x->s[i] == ' ' && !x->lists && digits_from(x, i + 1) == 3) return 1;
    return 0;
}

/* Whether the run of comma-parted digits that starts at i is one number: every later part has three digits, nothing
 * else follows. */
static bool one_number(const lexer *x, size_t i)
{
    size_t first = digits_from(x, i);
    if (first > 3 || first == 0 || x->s[i] == '0') return false;
    bool plain;
    for (i += first; i < x->n;) {
        const size_t w = separator(x, i, &plain);
        if (w == 0) break;
        i += w + 3;
    }
    if (i + 1 < x->n && x->s[i] == ',' && (digit_at(x, i + 1) || x->s[i + 1] == ' ' || x->s[i + 1] == '-'))
        return false;
    if (i + 1 < x->n && x->s[i] == ' ' && digit_at(x, i + 1)) return false;
    return true;
}

/* At least the bytes that the number at i can come from. */
static size_t number_bytes(const lexer *x, size_t i)
{
    size_t k = i;
    while (k < x->n && (digit_at(x, k) || strchr(".,{}\\!:; ~eE+-\xE2\x80\x89\xAF\xC2\xA0", x->s[k]))) k++;
    return k - i;
}

static void lex_number(lexer *x)
{
    const size_t at = x->i;
    size_t n = 0;
    bool grouped = false, plain;
    const bool joins = digit_at(x, at) && one_number(x, at);
    char *const out = r1i_mem_take(x->m, number_bytes(x, at) + 2);
    while (digit_at(x, x->i)) out[n++] = x->s[x->i++];
    while (joins && x->i < x->n) {
        const size_t w = separator(x, x->i, &plain);
        if (w == 0) break;
        grouped |= plain;
        memcpy(out + n, x->s + x->i + w, 3);
        n += 3;
        x->i += w + 3;
    }
    if (x->i < x->n && x->s[x->i] == '.' && digit_at(x, x->i + 1)) {
        if (n == 0) out[n++] = '0';
        out[n++] = x->s[x->i++];
        while (digit_at(x, x->i)) out[n++] = x->s[x->i++];
    }
    if (x->i < x->n && (x->s[x->i] == 'e' || x->s[x->i] == 'E')) {
        size_t k = x->i + 1;
        if (k < x->n && (x->s[k] == '-' || x->s[k] == '+')) k++;
        const size_t digits = digits_from(x, k);
        if (digits && digits < 7 && !letter_at(x, k + digits) && !(k + digits < x->n && x->s[k + digits] == '.')) {
            memcpy(out + n, x->s + x->i, k + digits - x->i);
            n += k + digits - x->i;
            x->i = k + digits;
        }
    }
    emit(x, R1I_T_NUM, 0, out, n, at)->grouped = grouped;
}

static const spelling *find(const spelling *table, size_t count, const char *s, size_t n)
{
    for (size_t i = 0; i < count; i++)
        if (table[i].name[0] == s[0] && strncmp(table[i].name, s, n) == 0 && table[i].name[n] == 0) return &table[i];
    return NULL;
}
#define FIND(table, s, n) find(table, sizeof table / sizeof *table, s, n)

static const char *single(lexer *x, char c)
{
    static const char letters[][2] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p",
                                      "q", "r", "s", "t", "u", "v", "w", "x", "y", "z",
                                      "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O", "P",
                                      "Q", "R", "S", "T", "U", "V", "W", "X", "Y", "Z"};
    (void)x;
    return letters[c >= 'a' ? c - 'a' : c - 'A' + 26];
}

static void emit_letter(lexer *x, char c, size_t at)
{
    if (c == 'e' || (c == 'E' && x->code)) emit(x, R1I_T_CONST, R1I_MC_E, "e", 1, at);
    else if (c == 'i' || (c == 'I' && x->code)) emit(x, R1I_T_CONST, R1I_MC_I, "i", 1, at);
    else emit(x, R1I_T_SYM, 0, single(x, c), 1, at);
}

static void emit_spelling(lexer *x, const spelling *w, size_t at)
{
    emit(x, w->type, w->op, w->s, w->s ? strlen(w->s) : 0, at);
}

/* Letters that are neither a known word nor English are a product of variables, with a known function at either end
 * split off. */
static void lex_letters(lexer *x, const char *s, size_t n, size_t at)
{
    for (size_t k = 0; k < n;) {
        const spelling *w = NULL;
        size_t len = n - k < 9 ? n - k : 9;
        for (; len >= 2 && !w; len--) {
            w = FIND(words, s + k, len);
            if (w && w->type != R1I_T_FN && w->op != R1I_OP_SQRT && !(w->type == R1I_T_CONST && w->op == R1I_MC_PI))
                w = NULL;
            if (w && w->type == R1I_T_FN && (len < 3 || w->op >= R1I_MF_ABS) && !(len == 2 && w->op == R1I_MF_LN))
                w = NULL;
            if (w) break;
        }
        if (w) {
            emit_spelling(x, w, at + k);
            k += len;
        } else {
            emit_letter(x, s[k], at + k);
            k++;
        }
    }
}

static void emit_text(lexer *x, const char *s, size_t n, size_t at, bool plain)
{
    r1i_mtok *const last = x->n_tok ? &x->tok[x->n_tok - 1] : NULL;
    if (plain && last && last->type == R1I_T_TEXT && last->plain) { /* words in a row are one text */
        last->n = (uint32_t)(s + n - last->s);
        last->end = (uint32_t)x->i;
        return;
    }
    emit(x, R1I_T_TEXT, 0, s, n, at)->plain = plain;
}

static void lex_word(lexer *x)
{
    const size_t at = x->i;
    size_t n = 0;
    while (letter_at(x, at + n)) n++;
    const char *const s = x->s + at;
    x->i = at + n;
    const r1i_mtok *const last = x->n_tok ? &x->tok[x->n_tok - 1] : NULL;
    const bool in_text = last && last->type == R1I_T_TEXT && last->plain;
    r1i_rat scale;
    if (n == 1) {
        /* "A U B" of intervals; the article of a sentence */
        const bool after = last && last->type == R1I_T_OP &&
            (last->op == ')' || last->op == ']' || last->op == R1I_OP_RSET);
        if (*s == 'U' && after && x->i < x->n) emit(x, R1I_T_OP, R1I_OP_CUP, NULL, 0, at);
        else if (in_text && x->space && x->i < x->n && x->s[x->i] == ' ' && letter_at(x, x->i + 1))
            emit_text(x, s, n, at, true);
        else emit_letter(x, *s, at);
        return;
    }
    if (n == 9 && memcmp(s, "factorial", 9) == 0 && x->n - x->i > 1 && memcmp(x->s + x->i, "2(", 2) == 0) {
        x->i++;
        emit(x, R1I_T_FN, R1I_MF_FACT2, NULL, 0, at);
        return;
    }
    const spelling *w = FIND(words, s, n);
    const spelling *const called = x->i < x->n && x->s[x->i] == '(' ? FIND(call_words, s, n) : NULL;
    if (called) {
        emit_spelling(x, called, at);
        return;
    }
    if (w && w->op == R1I_OP_NUMBERS && in_text) w = NULL;
    if (w && w->op < 1000 &&
        !(w->type == R1I_T_OP && in_text && (w->op == R1I_OP_IF || w->op == R1I_OP_IN || w->op == R1I_OP_AND))) {
        if (w->type == R1I_T_SYM) emit(x, R1I_T_SYM, 0, w->s, strlen(w->s), at)->plain = true;
        else emit_spelling(x, w, at);
        return;
    }
    if (w && w->op == R1I_OP_SQRT + 1000) {
        emit_spelling(x, w, at);
        return;
    }
    bool calls = x->i < x->n && x->s[x->i] == '(';
    if (n == 8 && memcmp(s, "Interval", 8) == 0 && x->i < x->n && x->s[x->i] == '.') { /* Interval.open(0, 1) */
        size_t more = 1;
        while (letter_at(x, x->i + more)) more++;
        if (x->i + more < x->n && x->s[x->i + more] == '(') {
            x->i += more;
            n += more;
            calls = true;
        }
    }
    if (n == 3 && memcmp(s, "lim", 3) == 0 && ((x->i < x->n && x->s[x->i] == '_') || (x->boxes && x->i == x->n))) {
        emit(x, R1I_T_BIG, R1I_MB_LIM, NULL, 0, at);
        return;
    }
    static const char *const short_calls[] = {"Eq", "Ne", "Lt", "Le", "Gt", "Ge"};
    bool known_call = x->code || n >= 3;
    for (size_t i = 0; i < sizeof short_calls / sizeof *short_calls; i++)
        known_call |= n == 2 && memcmp(s, short_calls[i], 2) == 0;
    /* Integral(...), Eq(...) */
    if (calls && known_call && isupper((unsigned char)*s) && islower((unsigned char)s[1])) {
        emit(x, R1I_T_SYM, 0, r1i_mem_text(x->m, s, n), n, at)->plain = true;
        return;
    }
    const bool after_number = last &&
        (last->type == R1I_T_NUM || (last->type == R1I_T_OP && (last->op == '}' || last->op == ')')) ||
         last->type == R1I_T_CONST);
    if (after_number && x->i < x->n && x->s[x->i] == '/') { /* km/h */
        size_t more = 1;
        while (letter_at(x, x->i + more)) more++;
        if (more > 1 && r1i_math_unit(x->m, s, n + more, &scale)) {
            x->i += more;
            emit_text(x, s, n + more, at, true);
            return;
        }
    }
    if (r1i_math_is_word(s, n) || in_text || (after_number && r1i_math_unit(x->m, s, n, &scale))) {
        emit_text(x, s, n, at, true);
        return;
    }
    lex_letters(x, s, n, at);
}

/* The bytes of the group after a command, braces balanced; x->i is left behind it. Without a group: one character. */
static void raw_group(lexer *x, const char **s, size_t *n)
{
    while (x->i < x->n && x->s[x->i] == ' ') x->i++;
    if (x->i >= x->n || x->s[x->i] != '{') {
        *s = x->s + x->i;
        *n = x->i < x->n;
        x->i += *n;
        return;
    }
    const size_t from = x->i + 1;
    size_t depth = 0, i = x->i;
    for (; i < x->n; i++) {
        if (x->s[i] == '\\') i++;
        else if (x->s[i] == '{') depth++;
        else if (x->s[i] == '}' && --depth == 0) break;
    }
    if (i >= x->n) r1i_mem_fail(x->m, (int64_t)x->i, "a { without its }");
    *s = x->s + from;
    *n = i - from;
    x->i = i + 1;
}

static void trim(const char **s, size_t *n)
{
    for (;;) {
        if (*n && strchr(" \t\r\n~", **s)) ++*s, --*n;
        else if (*n > 1 && (*s)[0] == '\\' && strchr(" ,;!", (*s)[1])) *s += 2, *n -= 2;
        else break;
    }
    while (*n && strchr(" \t\r\n~\\", (*s)[*n - 1])) --*n;
}

static void lex_all(lexer *x);

/* The tokens of a piece of the text, as if it stood there alone. */
static void inner(lexer *x, const char *s, size_t n)
{
    lexer part = *x;
    part.s = s;
    part.n = n;
    part.i = 0;
    part.boxes++;
    part.dollars = 0;
    lex_all(&part);
    x->tok = part.tok;
    x->n_tok = part.n_tok;
    x->cap = part.cap;
    x->space = true;
}

/* \text{..}, \mathrm{..} and their like. font: upright letters in it may be functions, units or symbols. */
static void lex_text(lexer *x, size_t at, bool font)
{
    const char *s;
    size_t n;
    raw_group(x, &s, &n);
    const size_t raw_n = n;
    trim(&s, &n);
    if (n == 0) {
        x->space = true;
        return;
    }
    if (!font && x->boxes < 20 && memchr(s, '$', n)) { /* a formula in a text box */
        inner(x, s, n);
        return;
    }
    const spelling *w = FIND(words, s, n);
    if (font && !w) w = FIND(call_words, s, n);
    if (!font && w && w->type == R1I_T_FN && x->i < x->n && x->s[x->i] == '(') font = true;
    if (n == 3 && font && memcmp(s, "lim", 3) == 0) {
        emit(x, R1I_T_BIG, R1I_MB_LIM, NULL, 0, at);
        return;
    }
    const r1i_mtok *const last = x->n_tok ? &x->tok[x->n_tok - 1] : NULL;
    const bool after_value = last &&
        (last->type == R1I_T_NUM || last->type == R1I_T_CONST ||
         (last->type == R1I_T_OP && (last->op == '}' || last->op == ')')));
    r1i_rat scale;
    if (after_value && w && n > 1 && r1i_math_unit(x->m, s, n, &scale) && w->op != '%' && w->op != R1I_OP_DEG) w = NULL;
    if (w && (font || w->type == R1I_T_OP) && n > 1) {
        emit(x, w->type, w->op % 1000, w->s, w->s ? strlen(w->s) : 0, at);
        return;
    }
    bool figures = false, only = true; /* \text{-32} */
    for (size_t i = 0; i < n; i++) {
        figures |= s[i] >= '0' && s[i] <= '9';
        only &= strchr("0123456789.,+-/ ", s[i]) != NULL;
    }
    if (!font && x->boxes < 20 && figures && only) {
        inner(x, s, n);
        return;
    }
    bool letters = true, digits = true;
    for (size_t i = 0; i < n; i++) {
        letters &= isalpha((unsigned char)s[i]) != 0;
        digits &= s[i] >= '0' && s[i] <= '9';
    }
    if (digits && last && last->type == R1I_T_OP && last->op == '_') {
        emit(x, R1I_T_NUM, 0, s, n, at);
        return;
    }
    if (font && letters && n == 1 && !(raw_n > n && after_value)) {
        emit_letter(x, *s, at);
        return;
    }
    if (font && letters && n <= 3 && !r1i_math_is_word(s, n) && !(after_value && r1i_math_unit(x->m, s, n, &scale))) {
        emit(x, R1I_T_SYM, 0, r1i_mem_text(x->m, s, n), n, at);
        return;
    }
    if (digits) {
        emit(x, R1I_T_NUM, 0, s, n, at);
        return;
    }
    emit_text(x, s, n, at, false);
}

static void lex_environment(lexer *x, int begin, size_t at)
{
    const char *s;
    size_t n;
    raw_group(x, &s, &n);
    while (n && s[n - 1] == '*') n--;
    r1i_mtok *const t = emit(x, R1I_T_ENV, begin, r1i_mem_text(x->m, s, n), n, at);
    if (begin && n == 5 && memcmp(s, "array", 5) == 0 && x->i < x->n && x->s[x->i] == '{') raw_group(x, &s, &n);
    (void)t;
}

static bool equals(const char *s, size_t n, const char *word) { return strlen(word) == n && memcmp(s, word, n) == 0; }

static void lex_command(lexer *x)
{
    const size_t at = x->i++;
    if (x->i >= x->n) r1i_mem_fail(x->m, (int64_t)at, "a lone backslash");
    const char *const s = x->s + x->i;
    size_t n = 0;
    while (letter_at(x, x->i + n)) n++;
    if (n == 0) n = 1;
    x->i += n;
    static const char *const texts[] = {"text", "mbox", "textbf", "textit", "textrm", "hbox", "textnormal", "textsf",
                                        "texttt", "emph", "textsc", "mathtt", "textup"};
    static const char *const fonts[] = {"mathrm", "operatorname", "mathbf", "mathit", "mathsf", "mathcal", "mathfrak",
                                        "mathscr", "pmb", "mathnormal"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (equals(s, n, texts[i])) {
            lex_text(x, at, false);
            return;
        }
    for (size_t i = 0; i < sizeof fonts / sizeof *fonts; i++)
        if (equals(s, n, fonts[i])) {
            if (x->i < x->n && x->s[x->i] == '*') x->i++;
            lex_text(x, at, true);
            return;
        }
    if (equals(s, n, "mathbb") || equals(s, n, "Bbb")) {
        const char *g;
        size_t g_n;
        raw_group(x, &g, &g_n);
        trim(&g, &g_n);
        if (g_n != 1 || !isalpha((unsigned char)*g))
            r1i_mem_fail(x->m, (int64_t)at, "blackboard letters are one letter");
        emit(x, strchr("RQZNC", *g) ? R1I_T_OP : R1I_T_SYM, strchr("RQZNC", *g) ? R1I_OP_NUMBERS : 0, single(x, *g), 1,
             at);
        return;
    }
    const spelling *w = FIND(commands, s, n);
    if (!w) w = FIND(call_words, s, n);
    if (!w && n > 1) w = FIND(words, s, n); /* \floor, \lcm: what packages define */
    if (!w || w->op >= 1000) r1i_mem_fail(x->m, (int64_t)at, "an unknown command");
    if (w->type == R1I_T_ENV) {
        lex_environment(x, w->op, at);
        return;
    }
    if (w->type == R1I_T_OP && w->op == R1I_OP_ROW && x->i < x->n && x->s[x->i] == '[') { /* \\[2pt] */
        const char *const close = memchr(x->s + x->i, ']', x->n - x->i);
        const char *const unit = memchr(x->s + x->i, 't', x->n - x->i);
        if (close && unit && unit < close && close - unit == 1) x->i = (size_t)(close - x->s) + 1;
    }
    if (w->type == R1I_T_OP && w->op == R1I_OP_NUMBERS) {
        emit(x, R1I_T_OP, R1I_OP_NUMBERS, "R", 1, at);
        return;
    }
    if (w->type != R1I_T_END) {
        emit_spelling(x, w, at);
        return;
    }
    x->space = x->space || (w->op == 0 && w->name[0] != '!');
    if (w->op == 1 || w->op == 3) {
        const char *g;
        size_t g_n;
        raw_group(x, &g, &g_n);
        if (w->op == 3 && x->boxes < 20) inner(x, g, g_n);
    } else if (w->op == 2) {
        while (x->i < x->n && x->s[x->i] == ' ') x->i++;
        if (x->i < x->n && x->s[x->i] == '.') x->i++;
    }
}

static uint32_t decode(const lexer *x, size_t *width)
{
    const unsigned char *const s = (const unsigned char *)x->s + x->i;
    const size_t left = x->n - x->i;
    const size_t w = s[0] >= 0xC2 && s[0] < 0xE0 ? 2 : (s[0] & 0xF0) == 0xE0 ? 3 : s[0] >= 0xF0 && s[0] < 0xF5 ? 4 : 0;
    if (w == 0 || w > left) r1i_mem_fail(x->m, (int64_t)x->i, "invalid UTF-8");
    uint32_t cp = s[0] & (0xFFu >> (w + 1));
    for (size_t i = 1; i < w; i++) {
        if ((s[i] & 0xC0) != 0x80) r1i_mem_fail(x->m, (int64_t)x->i, "invalid UTF-8");
        cp = cp << 6 | (s[i] & 0x3F);
    }
    *width = w;
    return cp;
}

/* Digits raised or lowered as characters: x to the 2nd written with U+00B2. */
static bool small_digit(uint32_t cp, bool *raised, char *c)
{
    *raised = true;
    if (cp == 0xB9) *c = '1';
    else if (cp == 0xB2 || cp == 0xB3) *c = (char)('0' + cp - 0xB0);
    else if (cp == 0x2070 || (cp >= 0x2074 && cp <= 0x2079)) *c = (char)('0' + cp - 0x2070);
    else if (cp == 0x207B) *c = '-';
    else if (cp == 0x207A) *c = '+';
    else if (cp == 0x207F) *c = 'n';
    else if (cp == 0x2071) *c = 'i';
    else if (cp >= 0x2080 && cp <= 0x2089) *c = (char)('0' + cp - 0x2080), *raised = false;
    else return false;
    return true;
}

static void lex_small(lexer *x, bool raised)
{
    const size_t at = x->i;
    char *const text = r1i_mem_take(x->m, x->n - at + 1);
    size_t n = 0, w;
    char c;
    bool up;
    while (x->i < x->n && (unsigned char)x->s[x->i] >= 0x80 && small_digit(decode(x, &w), &up, &c) && up == raised) {
        text[n++] = c;
        x->i += w;
    }
    emit(x, R1I_T_OP, raised ? '^' : '_', NULL, 0, at);
    emit(x, R1I_T_OP, '{', NULL, 0, at);
    for (size_t i = 0; i < n;) {
        size_t k = i;
        while (k < n && text[k] >= '0' && text[k] <= '9') k++;
        if (k > i) emit(x, R1I_T_NUM, 0, text + i, k - i, at);
        else if (text[i] == 'n') emit(x, R1I_T_SYM, 0, "n", 1, at);
        else if (text[i] == 'i') emit(x, R1I_T_CONST, R1I_MC_I, "i", 1, at);
        else emit(x, R1I_T_OP, text[i], NULL, 0, at);
        i = k > i ? k : i + 1;
    }
    emit(x, R1I_T_OP, '}', NULL, 0, at);
}

static void lex_unicode(lexer *x)
{
    size_t w;
    const size_t at = x->i;
    const uint32_t cp = decode(x, &w);
    bool raised;
    char c;
    if (small_digit(cp, &raised, &c)) {
        lex_small(x, raised);
        return;
    }
    x->i += w;
    if (cp >= 0xFF01 && cp <= 0xFF5E) { /* full-width ASCII: lexed as ASCII by a small inner lexer */
        const char ascii = (char)(cp - 0xFF01 + '!');
        if (isalpha((unsigned char)ascii)) emit_letter(x, ascii, at);
        else if (isdigit((unsigned char)ascii)) {
            char *const d = r1i_mem_take(x->m, x->n - at + 1);
            size_t n = 0, step = w;
            x->i = at;
            while (x->i < x->n) {
                uint32_t q = (unsigned char)x->s[x->i];
                step = 1;
                if (q >= 0x80) q = decode(x, &step);
                if (q >= 0xFF10 && q <= 0xFF19) q = q - 0xFF10 + '0';
                else if (q == 0xFF0E && n) q = '.';
                if (!((q >= '0' && q <= '9') || (q == '.' && !memchr(d, '.', n)))) break;
                d[n++] = (char)q;
                x->i += step;
            }
            while (n && d[n - 1] == '.') n--;
            emit(x, R1I_T_NUM, 0, d, n, at);
        } else if (ascii == '%') emit(x, R1I_T_OP, '%', NULL, 0, at);
        else emit(x, R1I_T_OP, ascii, NULL, 0, at);
        return;
    }
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (signs[i].cp == cp) {
            if (signs[i].type == R1I_T_END) x->space = true;
            else emit(x, signs[i].type, signs[i].op, signs[i].s, signs[i].s ? strlen(signs[i].s) : 0, at);
            return;
        }
    static const struct { const char *s; int op; } han[] = {{"等于", '='}, {"大于等于", R1I_OP_GE}, {"小于等于", R1I_OP_LE},
                                                            {"大于", '>'}, {"小于", '<'}, {"属于", R1I_OP_IN},
                                                            {"并", R1I_OP_CUP}};
    for (size_t i = 0; i < sizeof han / sizeof *han; i++) {
        const size_t n = strlen(han[i].s);
        if (x->n - at >= n && memcmp(x->s + at, han[i].s, n) == 0) {
            x->i = at + n;
            emit(x, R1I_T_OP, han[i].op, NULL, 0, at);
            return;
        }
    }
    emit_text(x, x->s + at, w, at, true);
}

static void lex_dollar(lexer *x)
{
    const size_t at = x->i++;
    size_t k = x->i;
    while (k < x->n && x->s[k] == ' ') k++;
    if (x->dollars == 1 && (digit_at(x, k) || (k < x->n && x->s[k] == '.')))
        emit(x, R1I_T_OP, R1I_OP_MONEY, "$", 1, at);
    else x->space = true;
}

static void lex_ascii(lexer *x)
{
    const size_t at = x->i;
    const char c = x->s[x->i];
    const char next = x->i + 1 < x->n ? x->s[x->i + 1] : 0;
    int op = (unsigned char)c, width = 1;
    if (c == '*' && next == '*') op = '^', width = 2;
    else if (c == '<' && next == '=') op = R1I_OP_LE, width = 2;
    else if (c == '>' && next == '=') op = R1I_OP_GE, width = 2;
    else if (c == '!' && next == '=' ) op = R1I_OP_NE, width = 2;
    else if (c == '=' && next == '=') width = 2;
    else if (c == '-' && next == '>') op = R1I_OP_TO, width = 2;
    else if (c == '.' && next == '.' && x->i + 2 < x->n && x->s[x->i + 2] == '.') op = R1I_OP_DOTS, width = 3;
    else if (!strchr("+-*/^_!'(),;:<=>[]{}|&%.\"?`", c))
        r1i_mem_fail(x->m, (int64_t)at, "a character that no answer has");
    x->i += (size_t)width;
    if (c == '&' && x->plain) op = R1I_OP_AND;
    /* (a) | (b) */
    if (c == '|' && x->plain && next == ' ' && x->n_tok && x->tok[x->n_tok - 1].type == R1I_T_OP &&
        x->tok[x->n_tok - 1].op == ')' && x->i + 1 < x->n && x->s[x->i + 1] == '(') op = R1I_OP_OR;
    if (c == '`') return;
    emit(x, R1I_T_OP, op, NULL, 0, at);
}

static void lex_all(lexer *x)
{
    while (x->i < x->n) {
        const char c = x->s[x->i];
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '~') {
            x->space = true;
            x->i++;
        } else if (c == '\\') lex_command(x);
        else if (c == '$') lex_dollar(x);
        else if ((c >= '0' && c <= '9') || (c == '.' && digit_at(x, x->i + 1) && !digit_at(x, x->i - 1))) lex_number(x);
        else if (isalpha((unsigned char)c)) lex_word(x);
        else if ((unsigned char)c >= 0x80) lex_unicode(x);
        else lex_ascii(x);
    }
}

void r1i_math_lex(r1i_mem *m, const char *text, size_t bytes, r1i_mtoks *out)
{
    if (bytes > R1I_MATH_BYTES) r1i_mem_fail(m, 0, "an answer of more than 32,768 bytes");
    lexer x = {.m = m, .s = text, .n = bytes, .cap = 32};
    x.tok = r1i_mem_take(m, sizeof *x.tok * (size_t)x.cap);
    bool star = false, slash = false;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == 0) r1i_mem_fail(m, (int64_t)i, "a NUL byte");
        if (text[i] == '\\') slash = true, i++;
        else if (text[i] == '$') x.dollars++;
        else star |= text[i] == '*';
    }
    x.plain = !slash;
    x.code = star && !slash;
    lex_all(&x);
    x.i = bytes;
    emit(&x, R1I_T_END, 0, NULL, 0, bytes);
    out->tok = x.tok;
    out->n = x.n_tok;
}
