"""Eight families of problems with a worked solution. Each function draws one problem from a random.Random and returns
(key, question, steps, answer): key is the problem's canonical form, the same for problems that differ in nothing but
order or wording, so that held-out problems can be told from those trained on."""
from fractions import Fraction

NAMES = ("Ann Ben Cleo Dan Eva Finn Gus Hana Ian June Kim Leo Mia Nick Olga Paul Rosa Sam Tess Uma Vera Will Yuri Zoe").split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
LENGTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
THINGS = "apple pear book coin cup hat key lamp pen shoe stone plate chair ball card leaf".split()
WORDS = ("banana letter pepper summer window garden kitten puzzle cheese street answer bottle coffee dinner family "
         "hammer island jacket ladder mirror needle orange pencil rabbit silver ticket valley winter yellow butter "
         "little number people school sister mother father brother morning evening animal basket carrot dollar engine "
         "finger giraffe holiday insect jungle kitchen lesson monkey nature office pocket river season teacher village").split()


# ---- arithmetic ------------------------------------------------------------------------------------------------------------
def arithmetic(r):
    kind = r.randrange(8)
    if kind == 0:
        a, b = r.randint(1, 20), r.randint(1, 20)
        return ("+",) + tuple(sorted((a, b))), f"What is {a} + {b}?", [f"{a} + {b} = {a + b}"], a + b
    if kind == 1:
        a, b = r.randint(10, 499), r.randint(10, 499)
        s = [f"{a} + {b // 10 * 10} = {a + b // 10 * 10}", f"{a + b // 10 * 10} + {b % 10} = {a + b}"]
        return ("+",) + tuple(sorted((a, b))), f"What is {a} + {b}?", s, a + b
    if kind == 2:
        b, c = r.randint(1, 299), r.randint(1, 299)
        a = b + c
        s = [f"{a} - {b} = {c}"] if b < 10 else [f"{a} - {b // 10 * 10} = {a - b // 10 * 10}", f"{a - b // 10 * 10} - {b % 10} = {c}"]
        return ("-", a, b), f"What is {a} - {b}?", s, c
    if kind == 3:
        a, b = r.randint(2, 20), r.randint(2, 12)
        return ("*",) + tuple(sorted((a, b))), f"What is {a} * {b}?", [f"{a} * {b} = {a * b}"], a * b
    if kind == 4:
        a, b = r.randint(11, 99), r.randint(3, 9)
        s = [f"{a // 10 * 10} * {b} = {a // 10 * 10 * b}", f"{a % 10} * {b} = {a % 10 * b}", f"{a // 10 * 10 * b} + {a % 10 * b} = {a * b}"]
        return ("*",) + tuple(sorted((a, b))), f"What is {a} * {b}?", s, a * b
    if kind == 5:
        b, c = r.randint(2, 12), r.randint(2, 20)
        return ("/", b * c, b), f"What is {b * c} / {b}?", [f"{b} * {c} = {b * c}", f"{b * c} / {b} = {c}"], c
    a, b, c = r.randint(1, 30), r.randint(2, 12), r.randint(2, 9)
    if kind == 6:
        return ("a+b*c", a, *sorted((b, c))), f"What is {a} + {b} * {c}?", [f"{b} * {c} = {b * c}", f"{a} + {b * c} = {a + b * c}"], a + b * c
    return ("(a+b)*c", *sorted((a, b)), c), f"What is ({a} + {b}) * {c}?", [f"{a} + {b} = {a + b}", f"{a + b} * {c} = {(a + b) * c}"], (a + b) * c


# ---- algebra ---------------------------------------------------------------------------------------------------------------
def algebra(r):
    v, x, a, b = r.choice("xyzn"), r.randint(1, 20), r.randint(2, 9), r.randint(1, 30)
    kind = r.randrange(4)
    if kind == 0:
        c = a * x + b
        return ("ax+b", a, b, c), f"Solve {a}{v} + {b} = {c} for {v}.", [f"{c} - {b} = {a * x}", f"{a}{v} = {a * x}", f"{v} = {a * x} / {a} = {x}"], x
    if kind == 1:
        c = a * x - b
        if c < 0:
            b, c = a * x, 0
        return ("ax+b", a, -b, c), f"Solve {a}{v} - {b} = {c} for {v}.", [f"{c} + {b} = {a * x}", f"{a}{v} = {a * x}", f"{v} = {a * x} / {a} = {x}"], x
    if kind == 2:
        c = x + b
        return ("x/a+b", a, b, c), f"Solve {v} / {a} + {b} = {c} for {v}.", [f"{c} - {b} = {x}", f"{v} / {a} = {x}", f"{v} = {x} * {a} = {x * a}"], x * a
    d = r.randint(1, a - 1)
    e = (a - d) * x + b
    left = f"{d}{v}" if d > 1 else v
    if a - d == 1:
        return ("ax+b=dx+e", a, b, d, e), f"Solve {a}{v} + {b} = {left} + {e} for {v}.", [f"{a}{v} - {left} = {v}", f"{e} - {b} = {x}", f"{v} = {x}"], x
    return ("ax+b=dx+e", a, b, d, e), f"Solve {a}{v} + {b} = {left} + {e} for {v}.", \
        [f"{a}{v} - {left} = {a - d}{v}", f"{e} - {b} = {(a - d) * x}", f"{a - d}{v} = {(a - d) * x}", f"{v} = {(a - d) * x} / {a - d} = {x}"], x


# ---- countdown -------------------------------------------------------------------------------------------------------------
def combine(x, y, op):
    """Value of x op y, or None where the search does not go: below zero, not whole, too large, no use."""
    if op == "+":
        return x + y
    if op == "-":
        return x - y if x >= y else None
    if op == "*":
        return x * y if x * y <= 999 else None
    return x // y if y and x % y == 0 else None


def bracket(text, op, side, outer):
    """An operand's text, with brackets where the outer operation needs them."""
    if op is None or outer == "+" or (outer == "-" and side == 0):
        return text
    if outer == "-":
        return f"({text})" if op in "+-" else text
    if op in "+-" or (outer == "/" and side == 1):
        return f"({text})"
    return f"({text})" if outer == "*" and side == 1 and op == "/" else text


def attempt(r, numbers):
    """One way to use every number, step by step: (steps, value, expression)."""
    pool = [(n, str(n), None) for n in numbers]
    steps = []
    while len(pool) > 1:
        i, j = r.sample(range(len(pool)), 2)
        (x, tx, ox), (y, ty, oy) = pool[i], pool[j]
        op = r.choice("++--**/")
        value = combine(x, y, op)
        if value is None:
            continue
        pool = [p for k, p in enumerate(pool) if k not in (i, j)]
        pool.append((value, f"{bracket(tx, ox, 0, op)} {op} {bracket(ty, oy, 1, op)}", op))
        steps.append(f"{x} {op} {y} = {value}")
    return steps, pool[0][0], pool[0][1]


COUNTDOWN = ("Using the numbers [{numbers}], create an equation that equals {target}. You can use basic arithmetic operations (+, -, *, /) "
             "and each number can only be used once.")
COUNTDOWN_RULES = (" Use every number exactly once. Think step by step, and put your final expression, without the target, inside <answer> and "
                   "</answer> tags, for example <answer>(1 + 2) / 3</answer>.")


def countdown(r, count=3):
    """Solution by a written search: some attempts that miss, then one that hits. Attempts are drawn, not enumerated, so the
    length of the search says nothing and a sample may always go on."""
    top = (20 if r.random() < 0.8 else 99) if count == 3 else 12
    while True:
        numbers = [r.randint(1, top) for _ in range(count)]
        steps, target, expression = attempt(r, numbers)
        if 5 <= target <= 100:
            break
    lines, seen = [], {expression}
    misses = min(int(r.expovariate(1 / 4)), 10 if count == 3 else 7)
    while len(lines) < misses:
        s, value, e = attempt(r, numbers)
        if value == target or e in seen:
            misses -= e in seen
            continue
        seen.add(e)
        lines.append(f"{','.join(s)} {'big' if value > target else 'small'}")
    lines.append(f"{','.join(steps)} yes")
    return (tuple(sorted(numbers)), target), numbers, target, lines, expression


def value_of(expression):
    """Exact value of an expression made above (tests)."""
    return eval(expression, {"__builtins__": {}}, {}) if "/" not in expression else \
        eval("".join(f"F({t})" if t.isdigit() else t for t in expression.replace("(", " ( ").replace(")", " ) ").split()), {"__builtins__": {}}, {"F": Fraction})


# ---- sorting ---------------------------------------------------------------------------------------------------------------
def sorting(r):
    n = r.randint(3, 6)
    if r.random() < 0.25:
        items = r.sample(WORDS, min(n, 4))
        out = sorted(items)
        steps = [f"first letters: {', '.join(w[0] for w in items)}"] + [f"{'first' if i == 0 else 'then'} {w}" for i, w in enumerate(out)]
        return ("words", *out), f"Put these words in alphabetical order: {', '.join(items)}.", steps, ", ".join(out)
    items = r.sample(range(1, 100), n)
    down = r.random() < 0.4
    out = sorted(items, reverse=down)
    steps, left = [], list(items)
    for v in out[:-1]:
        left.remove(v)
        steps.append(f"{'largest' if down else 'smallest'} {v}, left {', '.join(map(str, left))}")
    way = ("from largest to smallest", "in descending order") if down else ("from smallest to largest", "in ascending order")
    return (down, *out), f"Sort these numbers {r.choice(way)}: {', '.join(map(str, items))}.", steps, ", ".join(map(str, out))


# ---- counting --------------------------------------------------------------------------------------------------------------
def counting(r):
    kind = r.randrange(4)
    if kind == 0:
        w = r.choice(WORDS)
        c = r.choice(w) if r.random() < 0.8 else r.choice("aeiorst")
        steps = [", ".join(w), f"{c}: " + (", ".join(str(i + 1) for i, x in enumerate(w) if x == c) or "none")]
        return ("letter", w, c), f"How many times does the letter {c} appear in the word {w}?", steps, w.count(c)
    if kind == 1:
        w = r.choice(WORDS)
        return ("length", w), f"How many letters does the word {w} have?", [", ".join(f"{c} {i + 1}" for i, c in enumerate(w))], len(w)
    items = [r.randint(1, 60) for _ in range(r.randint(4, 8))]
    text = ", ".join(map(str, items))
    if kind == 2:
        odd = r.random() < 0.5
        hits = [v for v in items if v % 2 == odd]
        what = "odd" if odd else "even"
        return (what, *sorted(items)), f"How many {what} numbers are in this list: {text}?", [f"{what}: {', '.join(map(str, hits)) or 'none'}"], len(hits)
    bound = r.randint(10, 50)
    hits = [v for v in items if v > bound]
    return ("above", bound, *sorted(items)), f"How many of these numbers are greater than {bound}: {text}?", [f"greater: {', '.join(map(str, hits)) or 'none'}"], len(hits)


# ---- dates and units -------------------------------------------------------------------------------------------------------
UNITS = [("meters", "centimeters", 100), ("kilometers", "meters", 1000), ("hours", "minutes", 60), ("minutes", "seconds", 60), ("days", "hours", 24),
         ("weeks", "days", 7), ("years", "months", 12), ("dozens", "eggs", 12), ("kilograms", "grams", 1000), ("feet", "inches", 12)]


def dates_units(r):
    kind = r.randrange(4)
    if kind == 0:
        d, n, back = r.randrange(7), r.randint(1, 40), r.random() < 0.3
        e = (d - n if back else d + n) % 7
        steps = [f"{n} = {n // 7} * 7 + {n % 7}", f"{n % 7} days {'before' if back else 'after'} {DAYS[d]} is {DAYS[e]}"]
        return ("day", d, -n if back else n), f"What day of the week is {n} days {'before' if back else 'after'} {DAYS[d]}?", steps, DAYS[e]
    if kind == 1:
        m, day, n = r.randrange(12), r.randint(1, 28), r.randint(1, 30)
        end, e = day + n, m
        steps = [f"{MONTHS[m]} has {LENGTHS[m]} days", f"{day} + {n} = {end}"]
        if end > LENGTHS[m]:
            steps.append(f"{end} - {LENGTHS[m]} = {end - LENGTHS[m]}")
            end, e = end - LENGTHS[m], (m + 1) % 12
        return ("date", m, day, n), f"Which date is {n} days after {MONTHS[m]} {day} in a year that is not a leap year?", steps, f"{MONTHS[e]} {end}"
    if kind == 2:
        big, small, k = r.choice(UNITS)
        n = r.randint(2, 12)
        if r.random() < 0.5:
            return ("unit", big, small, n), f"How many {small} are in {n} {big}?", [f"1 of the {big} is {k} {small}", f"{n} * {k} = {n * k}"], n * k
        return ("unit back", big, small, n), f"How many {big} are {n * k} {small}?", [f"1 of the {big} is {k} {small}", f"{n * k} / {k} = {n}"], n
    h, m, n = r.randint(1, 12), r.randrange(0, 60, 5), r.randrange(5, 120, 5)
    t = h * 60 + m + n
    e = f"{(t // 60 - 1) % 12 + 1}:{t % 60:02d}"
    steps = [f"{m} + {n} = {m + n}", f"{m + n} = {(m + n) // 60} * 60 + {(m + n) % 60}", e]
    return ("clock", h, m, n), f"It is {h}:{m:02d}. What time is it {n} minutes later?", steps, e


# ---- logic -----------------------------------------------------------------------------------------------------------------
RELATIONS = [("taller", "tallest", "shorter", "shortest"), ("older", "oldest", "younger", "youngest"), ("faster", "fastest", "slower", "slowest"),
             ("richer", "richest", "poorer", "poorest")]


def logic(r):
    if r.random() < 0.6:
        more, most, less, least = r.choice(RELATIONS)
        people = r.sample(NAMES, r.randint(3, 4))
        facts = [f"{a} is {more} than {b}." if r.random() < 0.6 else f"{b} is {less} than {a}." for a, b in zip(people, people[1:])]
        r.shuffle(facts)
        top = r.random() < 0.5
        order = " > ".join(people)
        return (more, *people, top), f"{' '.join(facts)} Who is the {most if top else least}?", [order], people[0] if top else people[-1]
    things, people = r.sample(THINGS, 3), r.sample(NAMES, 3)
    a, b, c = people
    # a has things[0]; b has not things[2]: so b has things[1] and c the last
    facts = [f"{a} has the {things[0]}.", f"{b} does not have the {things[2]}."]
    r.shuffle(facts)
    who = r.randrange(1, 3)
    listed = sorted(things)
    steps = [f"{a} has the {things[0]}", f"{b} has the {things[1]}", f"{c} has the {things[2]}"]
    return ("has", *people, *things, who), f"{a}, {b} and {c} each have one thing: {', '.join(listed[:2])} or {listed[2]}. {' '.join(facts)} What does {people[who]} have?", \
        steps, things[who]


# ---- small programs --------------------------------------------------------------------------------------------------------
def programs(r):
    kind, a, b, c = r.randrange(5), r.randint(1, 12), r.randint(1, 12), r.randint(2, 6)
    if kind == 0:
        code, steps, out = [f"x = {a}", f"y = x + {b}", f"print(y * {c})"], [f"x = {a}", f"y = {a + b}", f"{a + b} * {c} = {(a + b) * c}"], (a + b) * c
    elif kind == 1:
        code, steps, total = [f"s = {a}", f"for i in range({c}):", f"    s = s + {b}", "print(s)"], [f"s = {a}"], a
        for i in range(c):
            total += b
            steps.append(f"i = {i}, s = {total}")
        out = total
    elif kind == 2:
        n = r.randint(3, 6)
        code, steps, total = ["s = 0", f"for i in range(1, {n}):", f"    s += i * {a}", "print(s)"], ["s = 0"], 0
        for i in range(1, n):
            total += i * a
            steps.append(f"i = {i}, s = {total}")
        out, b, c = total, n, 0
    elif kind == 3:
        code, yes = [f"x = {a}", f"if x > {b}:", f"    print(x - {c})", "else:", f"    print(x + {c})"], a > b
        out = a - c if yes else a + c
        steps = [f"x = {a}", f"{a} > {b} is {'true' if yes else 'false'}", f"{a} {'-' if yes else '+'} {c} = {out}"]
    else:
        items = [r.randint(1, 20) for _ in range(r.randint(3, 5))]
        f = r.choice(["max", "min", "sum", "len"])
        out = {"max": max, "min": min, "sum": sum, "len": len}[f](items)
        code, steps = [f"a = [{', '.join(map(str, items))}]", f"print({f}(a))"], [f"{f} of {', '.join(map(str, items))}"]
        if f == "sum":
            t = items[0]
            for v in items[1:]:
                steps.append(f"{t} + {v} = {t + v}")
                t += v
        return (f, *sorted(items)), "What does this program print?\n" + "\n".join(code), steps, out
    return (kind, a, b, c), "What does this program print?\n" + "\n".join(code), steps, out


FAMILIES = {"arithmetic": arithmetic, "algebra": algebra, "countdown": countdown, "sorting": sorting, "counting": counting, "dates_units": dates_units,
            "logic": logic, "programs": programs}
