#!/usr/bin/env python3
"""Pairs of mathematical answers, equal and unequal, made from SymPy expressions: tests/fixtures/grading/sympy.tsv.

Every line is: family, '+' or '-', one answer, another answer (tabs between). Equal pairs are rewritten by identities that hold
wherever both sides are defined; unequal ones are proven unequal by evaluating both at random points (40 digits, at least 1e-9
apart), or as typed objects. SymPy 1.11 or later; the output depends on the seed alone.

    python3 tools/make_math_pairs.py > tests/fixtures/grading/sympy.tsv
"""
import random
import sys
from fractions import Fraction

import sympy as sp
from sympy import I, Rational as Q, cos, exp, log, pi, sin, sqrt, tan

TOTAL, SEED = 10000, 20260101
rng = random.Random(SEED)
x, y, z, n, t, a, b = sp.symbols("x y z n t a b")
LE, LEQ, GE = "\\le", "\\leq", "\\ge"
shown = {}  # printed form -> the expression it came from, for the numeric check


def num(lo=-9, hi=9, zero=False):
    while True:
        k = rng.randint(lo, hi)
        if k or zero:
            return k


def ratio(most=12):
    return Q(num(-most, most), rng.randint(1, most))


def tex(e, **style):
    style.setdefault("ln_notation", True)
    if rng.random() < 0.3 and not sp.sympify(e).has(sp.pi, sp.E, exp, sp.Pow, I):  # "8 / 7 \\pi" would not say where the denominator ends
        style["fold_short_frac"] = True
    if rng.random() < 0.3:
        style["mul_symbol"] = rng.choice(["dot", "times"])
    s = sp.latex(e, **style)
    if rng.random() < 0.3:
        s = s.replace("\\left(", "(").replace("\\right)", ")")
    if rng.random() < 0.2:
        s = s.replace("\\frac", "\\dfrac")
    if rng.random() < 0.15:
        s = "$" + s + "$"
    shown[s] = e
    return s


def plain(e):
    s = str(e)
    if rng.random() < 0.5:
        s = s.replace("**", "^")
    shown[s] = e
    return s


def show(e):
    """One of the ways to print an expression; str only where no function's name is ambiguous."""
    if rng.random() < 0.25 and not sp.sympify(e).has(log, exp, sp.E, sp.factorial):
        return plain(e)
    return tex(e)


def distances(e, f):
    """How far the two expressions are apart at three random points; None where one is not defined there."""
    d = sp.sympify(e) - sp.sympify(f)
    free = sorted(d.free_symbols, key=str)
    out = []
    for _ in range(3):
        at = {s: Q(rng.randint(11, 97), rng.choice([13, 17, 19])) for s in free}
        v = sp.N(d.subs(at), 40)
        if not v.is_number or v.has(sp.nan, sp.zoo, sp.oo):
            return None
        out.append(abs(v))
    return out


def differ(e, f):
    d = distances(e, f)
    return d is not None and all(v > 1e-9 for v in d)


def same(e, f):
    d = distances(e, f)
    return d is not None and all(v < 1e-25 for v in d)


# ---- numbers ---------------------------------------------------------------------------------------------------------


def grouped(k, mark):
    return f"{k:,}".replace(",", mark)


def integer():
    k = rng.choice([num(-99, 99), num(-10**6, 10**6), rng.randint(10**6, 10**12), rng.choice([1, -1]) * rng.randint(1, 60) ** rng.randint(2, 6)])
    forms = [str(k), f"{k}.0", f"{k}.", f"${k}$", f"\\text{{{k}}}"]
    if abs(k) >= 1000:
        forms += [grouped(k, ","), grouped(k, "{,}"), grouped(k, "\\,"), grouped(k, ",\\!")]
    if k > 1:
        factors = sp.factorint(k)
        if len(factors) > 1 or list(factors.values())[0] > 1:
            forms.append(" \\cdot ".join(f"{p}^{{{e}}}" if e > 1 else str(p) for p, e in factors.items()))
    if 0 < k < 21 and rng.random() < 0.5:
        forms.append(f"\\frac{{{k}!}}{{{k - 1}!}}")
    other = rng.choice([k + 1, k - 1, -k, k * 10, k + 10]) if k else 1
    return rng.choice(forms), rng.choice(forms), str(other)


def mixed(q):
    whole, rest = divmod(abs(q.p), q.q)
    return f"{'-' if q < 0 else ''}{whole}\\frac{{{rest}}}{{{q.q}}}"


def fraction_forms(q):
    forms = [f"\\frac{{{q.p}}}{{{q.q}}}", f"{q.p}/{q.q}", f"\\dfrac{{{q.p}}}{{{q.q}}}", f"{'-' if q < 0 else ''}\\frac{{{abs(q.p)}}}{{{q.q}}}"]
    k = rng.randint(2, 9)
    forms.append(f"\\frac{{{q.p * k}}}{{{q.q * k}}}")
    if q.q < 10 and 0 < q.p < 10:
        forms.append(f"\\frac{q.p}{q.q}")
    if abs(q) > 1 and q.q > 1:
        forms.append(mixed(q))
    d = q.q
    while d % 2 == 0:
        d //= 2
    while d % 5 == 0:
        d //= 5
    if d == 1 and q.q < 10**6:
        s = str(sp.N(q, 30)).rstrip("0")
        forms += [s + "0" if s.endswith(".") else s] * 2
    return forms


def rational():
    q = Q(num(-300, 300), rng.choice([2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 16, 20, 25, 40, 64, 125, rng.randint(2, 200)]))
    wrong = rng.choice([1 / q, -q, q + Q(1, q.q), q + 1, q * 2])
    if wrong == q:
        wrong = q + 1
    return rng.choice(fraction_forms(q)), rng.choice(fraction_forms(q)), rng.choice(fraction_forms(wrong))


def scientific():
    m, e = rng.randint(11, 9999), rng.randint(-12, 9)
    text = f"{m / 10 ** (len(str(m)) - 1):.{len(str(m)) - 1}f}"
    value = Fraction(m, 10 ** (len(str(m)) - 1)) * Fraction(10) ** e
    decimal = f"{float(value):.{max(0, len(str(m)) - 1 - e)}f}"
    if Fraction(decimal) != value:
        return None
    forms = [f"{text} \\times 10^{{{e}}}", f"{text}\\cdot 10^{{{e}}}", decimal, f"{text}e{e}"]
    return rng.choice(forms), decimal, f"{text} \\times 10^{{{e + 1}}}"


def surd():
    k, r, c = num(-9, 9), rng.choice([2, 3, 5, 6, 7, 10, 11, 13, 15]), num(-9, 9, zero=True)
    e = c + k * sqrt(r)
    inside = sp.Integer(k * k * r)
    written = f"{'-' if k < 0 else ''}\\sqrt{{{inside}}}" + (f" + {c}" if c > 0 else f" - {-c}" if c < 0 else "")
    kind = rng.randrange(4)
    if kind == 0:
        return tex(e), written, tex(c + k * sqrt(r + 1))
    if kind == 1:  # a denominator with a root
        d = rng.randint(1, 9) + sqrt(r) * rng.choice([1, -1, 2])
        e = Q(num(), 1) / d
        return tex(e), tex(sp.radsimp(e)), tex(sp.radsimp(e) * rng.choice([-1, 2]))
    if kind == 2:
        e = k * sqrt(r) / rng.randint(2, 12)
        q = sp.nsimplify(e / sqrt(r))
        written = f"\\frac{{{q.p * r}}}{{{q.q}\\sqrt{{{r}}}}}"
        return show(e), written, show(-e)
    return show(e), show(sp.expand(e * (1 + sqrt(r)) * (sqrt(r) - 1) / (r - 1))), show(c - k * sqrt(r))


def nested_radical():
    p, q = rng.sample([1, 2, 3, 5, 6, 7, 10, 11], 2)
    p, q = max(p, q), min(p, q)
    plus = rng.random() < 0.6
    inside = p + q + (2 if plus else -2) * sqrt(p * q)
    if not sp.sympify(inside).has(sp.Pow):
        return None
    root = sqrt(p) + sqrt(q) if plus else sqrt(p) - sqrt(q)
    s = rng.choice([1, 2, 3])
    written = f"\\sqrt{{{sp.latex(sp.expand(inside * s * s))}}}"
    return written, tex(sp.expand(s * root)), tex(sp.expand(s * (sqrt(p) - sqrt(q) if plus else sqrt(p) + sqrt(q))))


def cube_root():
    k, r = num(2, 6), rng.choice([2, 3, 4, 5, 6, 7, 10])
    forms = [f"\\sqrt[3]{{{k ** 3 * r}}}", f"{k}\\sqrt[3]{{{r}}}", f"{k} \\cdot {r}^{{1/3}}", f"{k}\\cdot {r}^{{\\frac{{1}}{{3}}}}"]
    two = rng.sample(forms, 2)
    return two[0], two[1], f"{k + 1}\\sqrt[3]{{{r}}}"


def constant():
    p, q = ratio(), ratio()
    c = rng.choice([pi, sp.E, pi**2, pi * sqrt(rng.choice([2, 3, 5]))])
    e = rng.choice([p * c, p * c + q, c / rng.randint(2, 20), q / c])
    wrong = rng.choice([e + Q(1, 3), -e, e * 2])
    return show(e), tex(sp.together(e)), show(wrong)


def logarithm():
    p, q = rng.sample([2, 3, 5, 6, 7, 10, 12], 2)
    k = rng.randint(2, 5)
    kind = rng.randrange(6)
    if kind == 0:
        return f"\\ln {p ** k}", f"{k}\\ln {p}", f"{k + 1}\\ln {p}"
    if kind == 1:
        return f"\\ln {p} + \\ln {q}", f"\\ln {p * q}", f"\\ln {p + q}"
    if kind == 2:
        return f"\\log_{{{p}}} {q}", f"\\frac{{\\ln {q}}}{{\\ln {p}}}", f"\\frac{{\\ln {p}}}{{\\ln {q}}}"
    if kind == 3:
        return f"\\log_{{{p}}}({p ** k})", str(k), str(k + 1)
    if kind == 4:
        return f"e^{{{k}\\ln {p}}}", str(p**k), str(k * p + 1)
    return f"\\ln\\frac{{{p}}}{{{q}}}", f"\\ln {p} - \\ln {q}", f"\\ln {q} - \\ln {p}"


def trig_number():
    d = rng.choice([12, 6, 4, 3, 8, 5, 10, 24])
    k = rng.randint(1, 2 * d - 1)
    f = rng.choice([sin, cos, tan])
    v = f(sp.Rational(k, d) * pi)
    if v.has(sp.zoo, sp.oo) or v.has(sin, cos, tan):
        return None
    name = {sin: "\\sin", cos: "\\cos", tan: "\\tan"}[f]
    written = rng.choice([f"{name}\\frac{{{k}\\pi}}{{{d}}}", f"{name}\\left({tex(Q(k, d) * pi).strip('$')}\\right)"])
    if 180 * k % d == 0 and rng.random() < 0.5:
        written = f"{name} {180 * k // d}^\\circ"
    return written, tex(v), tex(-v if v else sp.Integer(1))


# ---- expressions ----------------------------------------------------------------------------------------------------------


def wrong_version(e):
    """A near miss: a sign, a coefficient, an exponent or a variable's power changed."""
    terms = sp.Add.make_args(sp.expand(e))
    k = rng.randrange(len(terms))
    change = rng.choice([-terms[k], 2 * terms[k], terms[k] + 1, terms[k] * 3 / 2])
    return sum(terms[:k]) + change + sum(terms[k + 1:])


def polynomial():
    v = rng.choice([x, y, n, t])
    e = sp.Mul(*[(num(-4, 4) * v + num()) for _ in range(rng.randint(1, 3))]) * rng.choice([1, 1, 2, Q(1, 2)]) + rng.choice([0, 0, num()])
    return show(e), show(rng.choice([sp.expand, sp.factor, sp.horner])(e)), show(wrong_version(e))


def two_variables():
    u, v = rng.sample([x, y, z, a, b], 2)
    e = (num(-3, 3) * u + num(-3, 3) * v + num(zero=True)) * (num(-3, 3) * u + num(-3, 3) * v) + rng.choice([0, u * v, num()])
    return show(e), show(rng.choice([sp.expand, sp.factor])(e)), show(wrong_version(e))


def rational_function():
    v = rng.choice([x, n, t])
    e = num() / (v + num(zero=True)) + rng.choice([num() / (2 * v + num()), num() * v, sp.Integer(num())])
    f = rng.choice([sp.together, sp.apart, sp.cancel, lambda g: sp.factor(sp.together(g))])(e)
    return show(e), show(f), show(wrong_version(sp.apart(e)))


def binomial_sum():
    v = rng.choice([n, x])
    e = rng.choice([v * (v + 1) / 2, v * (v + 1) * (2 * v + 1) / 6, v**2 * (v + 1) ** 2 / 4, v * (v - 1) / 2]) * rng.choice([1, 2, 3]) + num(-3, 3, zero=True)
    return show(e), show(rng.choice([sp.expand, sp.factor])(e)), show(wrong_version(e))


def trig_identity():
    u = rng.choice([x, 2 * x, t, x + y])
    s, c = sin(u), cos(u)
    pairs = [(s**2 + c**2, sp.Integer(1)), (sin(2 * u), 2 * s * c), (cos(2 * u), 1 - 2 * s**2), (cos(2 * u), c**2 - s**2), (tan(u), s / c),
             (1 + tan(u) ** 2, 1 / c**2), (s**2, (1 - cos(2 * u)) / 2), (sin(3 * u), 3 * s - 4 * s**3), (cos(3 * u), 4 * c**3 - 3 * c),
             (sin(u + pi / 2), c), (cos(u - pi), -c), (s**4 - c**4, -cos(2 * u)), (sin(x + y), sin(x) * cos(y) + cos(x) * sin(y)),
             (cos(x - y), cos(x) * cos(y) + sin(x) * sin(y)), (sp.cot(u), c / s), (1 / c, sp.sec(u))]
    e, f = rng.choice(pairs)
    k, m = num(-4, 4), num(zero=True)
    e, f = k * e + m, k * f + m
    return tex(e), tex(f), tex(rng.choice([-f, f + 1, 2 * f]))


def exponential():
    v, base, k = rng.choice([x, n]), rng.choice([2, 3, 5, 10]), rng.randint(1, 3)
    kind = rng.randrange(5)
    if kind == 0:
        return f"{base}^{{{v}+{k}}}", f"{base ** k} \\cdot {base}^{v}", f"{base}^{{{k}{v}}}"
    if kind == 1:
        return f"{base ** 2}^{{{v}}}", f"{base}^{{2{v}}}", f"{base}^{{{v}^2}}"
    if kind == 2:
        return f"e^{{{v}+{k}}}", f"e^{{{k}}} e^{{{v}}}", f"e^{{{v}}}+e^{{{k}}}"
    if kind == 3:
        return f"\\frac{{{base}^{{{v}}}}}{{{base ** k}}}", f"{base}^{{{v}-{k}}}", f"{base}^{{{v}}}-{base ** k}"
    return f"({base}^{{{v}}}-1)({base}^{{{v}}}+1)", f"{base ** 2}^{{{v}}}-1", f"{base ** 2}^{{{v}}}+1"


def root_expression():
    v, k, c = rng.choice([x, n, t]), rng.choice([2, 3, 5]), num()
    kind = rng.randrange(4)
    if kind == 0:
        return f"\\sqrt{{{k * k}{v}}}", f"{k}\\sqrt{{{v}}}", f"{k * k}\\sqrt{{{v}}}"
    if kind == 1:
        return f"\\frac{{{v}}}{{\\sqrt{{{v}}}}}", f"\\sqrt{{{v}}}", f"{v}\\sqrt{{{v}}}"
    if kind == 2:
        return f"(\\sqrt{{{v}}}+{k})^2", f"{v}+{2 * k}\\sqrt{{{v}}}+{k * k}", f"{v}+{k * k}"
    e = sqrt(v**2 + 1)
    return tex(c / (e + 1) + 1), tex(sp.together(c / (e + 1) + 1)), tex(c / (e - 1) + 1)


# ---- complex, and typed objects -----------------------------------------------------------------------------------------


def complex_number():
    u, v = num() + num() * I, num() + num() * I
    e = rng.choice([u, u * v, u / v, u**2, u + sqrt(3) * v])
    f = sp.expand_complex(e)
    re, im = sp.re(f), sp.im(f)
    wrong = rng.choice([re - im * I, -f, im + re * I])
    if sp.expand(wrong - f) == 0:
        wrong = f + I
    written = rng.choice([tex(f), f"{tex(im).strip('$')} i {'+' if re >= 0 else '-'} {tex(abs(re)).strip('$')}" if im.is_Integer and abs(im) > 1 else tex(f)])
    return tex(e), written, tex(sp.expand(wrong))


def numbers(k):
    out = []
    while len(out) < k:
        e = rng.choice([sp.Integer(num()), ratio(6), ratio(4) * sqrt(rng.choice([2, 3])), num() * pi])
        if all(sp.simplify(e - o) != 0 for o in out):
            out.append(e)
    return out


def item(e):
    return rng.choice(fraction_forms(e)) if e.is_Rational and not e.is_Integer else tex(e, fold_short_frac=False).strip("$")


def number_set():
    s = numbers(rng.randint(2, 4))
    o = s[:]
    rng.shuffle(o)
    wrong = s[:-1] if rng.random() < 0.3 else s[:-1] + [s[-1] + 1]
    if rng.random() < 0.3 or any(sp.simplify(wrong[-1] - e) == 0 for e in s):
        wrong = s + [sp.Integer(101)]
    left, right = rng.choice([("\\{", "\\}"), ("\\left\\{", "\\right\\}")])
    body = ", ".join(map(item, s))
    other = ", ".join(map(item, o))
    if rng.random() < 0.15:
        return f"\\{{{body}\\}}", f"{left}{other}{right}", f"({body})"
    return f"\\{{{body}\\}}", f"{left}{other}{right}", f"\\{{{', '.join(map(item, wrong))}\\}}"


def number_tuple():
    s = numbers(rng.randint(2, 4))
    wrong = s[1:] + s[:1] if rng.random() < 0.5 else s[:-1] + [-s[-1]]
    left, right = rng.choice([("(", ")"), ("\\left(", "\\right)")])
    if rng.random() < 0.15:
        return f"({','.join(map(item, s))})", f"{left}{', '.join(map(item, s))}{right}", f"\\{{{', '.join(map(item, s))}\\}}"
    return f"({','.join(map(item, s))})", f"{left}{', '.join(map(item, s))}{right}", f"({', '.join(map(item, wrong))})"


def interval():
    p, q = sorted(numbers(2), key=lambda e: float(e))
    lo, hi = rng.random() < 0.5, rng.random() < 0.5  # closed
    kind = rng.randrange(4)
    if kind == 0:  # unbounded
        left = rng.random() < 0.5
        text = f"(-\\infty, {item(p)}{']' if hi else ')'}" if left else f"{'[' if lo else '('}{item(p)}, \\infty)"
        ineq = f"x {LE if hi else '<'} {item(p)}" if left else f"x {GE if lo else '>'} {item(p)}"
        wrong = f"(-\\infty, {item(p)}{')' if hi else ']'}" if left else f"{'(' if lo else '['}{item(p)}, \\infty)"
        return text, ineq, wrong
    text = f"{'[' if lo else '('}{item(p)}, {item(q)}{']' if hi else ')'}"
    if kind == 1:
        return text, f"{item(p)} {LE if lo else '<'} x {LEQ if hi else '<'} {item(q)}", f"{'(' if lo else '['}{item(p)}, {item(q)}{']' if hi else ')'}"
    if kind == 2:
        r = q + rng.randint(1, 9)
        s = r + rng.randint(1, 9)
        other = f"({item(r)}, {item(s)})"
        return f"{text} \\cup {other}", f"{other} \\cup {text}", f"{text} \\cup ({item(r)}, {item(s + 1)})"
    return text, f"\\left{'[' if lo else '('}{item(p)}, {item(q)}\\right{']' if hi else ')'}", f"{'[' if lo else '('}{item(p)}, {item(q + 1)}{']' if hi else ')'}"


def matrix():
    r, c = rng.randint(1, 3), rng.randint(1, 3)
    if r == c == 1:
        c = 2
    m = sp.Matrix(r, c, lambda i, j: rng.choice([sp.Integer(num(zero=True)), ratio(5)]))
    k = sp.Integer(rng.choice([2, 3, -1, 5]))
    wrong = m.copy()
    i, j = rng.randrange(r), rng.randrange(c)
    wrong[i, j] += 1
    one = tex(m, mat_delim="(", mat_str="matrix").strip("$")
    two = rng.choice([tex(m, mat_str="pmatrix", mat_delim="").strip("$"), tex(m, mat_str="bmatrix", mat_delim="").strip("$"),
                      f"\\frac{{1}}{{{k}}}" + sp.latex(m * k, mat_str="pmatrix", mat_delim="") if k > 1 else sp.latex(m, mat_str="pmatrix", mat_delim="")])
    if r != c and rng.random() < 0.3:
        wrong = m.T
    return one, two, tex(wrong, mat_str="pmatrix", mat_delim="").strip("$")


def equation():
    kind = rng.randrange(3)
    if kind == 0:  # a line
        m, c = num(), num(zero=True)
        k = num(-4, 4)
        return f"y = {tex(m * x + c).strip('$')}", f"{tex(sp.expand(k * (y - m * x - c))).strip('$')} = 0", f"y = {tex(m * x + c + 1).strip('$')}"
    if kind == 1:
        p, q, r = num(), num(), num(1, 9)
        e = (x - p) ** 2 + (y - q) ** 2
        return f"{tex(e).strip('$')} = {r * r}", f"{tex(sp.expand(e - r * r)).strip('$')} = 0", f"{tex(e).strip('$')} = {r * r + 1}"
    v, e = rng.choice([x, n, a]), rng.choice(numbers(1))
    return f"{v} = {item(e)}", item(e), item(e + 1)


FAMILIES = [(integer, 5), (rational, 9), (scientific, 3), (surd, 9), (nested_radical, 4), (cube_root, 3), (constant, 6), (logarithm, 5),
            (trig_number, 5), (polynomial, 9), (two_variables, 6), (rational_function, 7), (binomial_sum, 3), (trig_identity, 6), (exponential, 4),
            (root_expression, 4), (complex_number, 6), (number_set, 5), (number_tuple, 4), (interval, 6), (matrix, 5), (equation, 4)]
EXPRESSIONS = {surd, constant, trig_number, polynomial, two_variables, rational_function, binomial_sum, trig_identity, complex_number, nested_radical}


def main():
    weights = [w for _, w in FAMILIES]
    seen, made = set(), 0
    while made < TOTAL:
        make = rng.choices(FAMILIES, weights)[0][0]
        shown.clear()
        triple = make()
        if triple is None:
            continue
        one, two, wrong = triple
        if any(w in s for s in triple for w in ("zoo", "nan", "infty}{")):
            continue
        equal = rng.random() < 0.5
        other = two if equal else wrong
        if make in EXPRESSIONS and one in shown and other in shown:
            if not (same if equal else differ)(shown[one], shown[other]):
                continue
        elif not equal and one.strip("$") == other.strip("$"):
            continue
        if rng.random() < 0.5:
            one, other = other, one
        key = (one, other)
        if key in seen or one == other or len(one) + len(other) > 400 or "\n" in one + other:
            continue
        seen.add(key)
        made += 1
        print(make.__name__, "+" if equal else "-", one, other, sep="\t")


if __name__ == "__main__":
    sys.setrecursionlimit(10000)
    main()
