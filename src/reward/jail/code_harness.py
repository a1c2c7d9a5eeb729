# Calls a program's functions for tests that never meet the program. Two interpreters in two sandboxes run this file: the
# "program" side executes the user's code and answers calls; the "tests" side executes the assertions, where every name that
# the tests do not define is a call over the wire. Only plain values cross, rebuilt from builtin types, so an object with an
# __eq__ of its own, a replaced builtin, an early exit or a look up the stack reaches nothing: the expected values, the
# assertions and the verdict live in the other sandbox. Frames: 4 bytes length (little endian), one byte kind, payload.
import builtins
import os
import sys

FD = 4
CHUNK = 1 << 16
MOST_BYTES = 32 << 20  # of one answer
MOST_ITEMS = 5_000_000  # drawn from one iterator of the program


def read_exactly(n):
    parts = []
    while n:
        b = os.read(FD, min(n, CHUNK))
        if not b:
            os._exit(0)
        parts.append(b)
        n -= len(b)
    return b"".join(parts)


def receive():
    n = int.from_bytes(read_exactly(4), "little")
    frame = read_exactly(n)
    return frame[:1], frame[1:]


def send(kind, payload=b""):
    data = (len(payload) + 1).to_bytes(4, "little") + kind + payload
    view = memoryview(data)
    while view:
        view = view[os.write(FD, view):]


class Unencodable(Exception):
    pass


def encode(x, out, other, depth=0):
    """Append x to the list out; other(x) names what is no plain value, or raises Unencodable."""
    if depth > 200:
        raise Unencodable("nested more than 200 deep")
    t = type(x)
    if x is None:
        out.append(b"n")
    elif t is bool:
        out.append(b"t" if x else b"f")
    elif t is int:
        out.append(b"i%x;" % x if x >= 0 else b"i-%x;" % -x)
    elif t is float:
        out.append(b"d" + x.hex().encode() + b";")
    elif t is str:
        b = x.encode("utf-8", "surrogatepass")
        out.append(b"s%x;" % len(b) + b)
    elif t is complex:
        out.append(b"c" + x.real.hex().encode() + b";" + x.imag.hex().encode() + b";")
    elif t is bytes or t is bytearray:
        out.append((b"b" if t is bytes else b"B") + b"%x;" % len(x) + bytes(x))
    elif t in (list, tuple, set, frozenset):
        out.append({list: b"l", tuple: b"u", set: b"S", frozenset: b"z"}[t] + b"%x;" % len(x))
        for item in list(x):
            encode(item, out, other, depth + 1)
    elif t is dict:
        out.append(b"m%x;" % len(x))
        for k, v in list(x.items()):
            encode(k, out, other, depth + 1)
            encode(v, out, other, depth + 1)
    elif t is range:
        out.append(b"r")
        for part in (x.start, x.stop, x.step):
            encode(part, out, other, depth + 1)
    elif t is type and getattr(builtins, x.__name__, None) is x:
        out.append(b"w%x;" % len(x.__name__) + x.__name__.encode())
    else:
        other(x, out, depth)


def decode(b, i, special):
    """The value at b[i:] and where it ends; special(kind, text) makes references."""
    k = b[i:i + 1]
    i += 1
    if k == b"n":
        return None, i
    if k == b"t":
        return True, i
    if k == b"f":
        return False, i
    if k in b"cqr" and k:
        parts = []
        if k == b"r":
            for _ in range(3):
                v, i = decode(b, i, special)
                parts.append(v)
            return range(*parts), i
        for _ in range(2):
            e = b.index(b";", i)
            parts.append(b[i:e].decode())
            i = e + 1
        if k == b"c":
            return complex(float.fromhex(parts[0]), float.fromhex(parts[1])), i
        from fractions import Fraction
        return Fraction(int(parts[0], 16), int(parts[1], 16)), i
    e = b.index(b";", i)
    text = b[i:e]
    i = e + 1
    if k == b"i":
        return int(text, 16), i
    if k == b"d":
        return float.fromhex(text.decode()), i
    if k in b"sbBDogw" and k:
        if k == b"o":
            return special("o", text.decode()), i
        n = int(text, 16)
        data = b[i:i + n]
        if n < 0 or len(data) != n:
            raise ValueError("short frame")
        i += n
        if k == b"s":
            return data.decode("utf-8", "surrogatepass"), i
        if k == b"g":
            return special("g", data.decode()), i
        if k == b"w":
            known = getattr(builtins, data.decode(), None)
            if not isinstance(known, type):
                raise ValueError("no type")
            return known, i
        if k == b"D":
            from decimal import Decimal
            return Decimal(data.decode()), i
        return (data if k == b"b" else bytearray(data)), i
    if k in b"luSzm" and k:
        n = int(text, 16)
        if n < 0 or n > len(b):
            raise ValueError("short frame")
        if k == b"m":
            d = {}
            for _ in range(n):
                key, i = decode(b, i, special)
                d[key], i = decode(b, i, special)
            return d, i
        items = []
        for _ in range(n):
            v, i = decode(b, i, special)
            items.append(v)
        return (items if k == b"l" else {b"u": tuple, b"S": set, b"z": frozenset}[k](items)), i
    raise ValueError("unknown kind")


# ---- the program's side ----------------------------------------------------------------------------------------------

def program():
    import types
    import gc
    gc.freeze()
    objects = []

    def other(x, out, depth):
        # subclasses of plain types travel as the plain type: Counter, namedtuple, IntEnum, defaultdict
        for base in (int, float, str, dict, list, tuple, set, frozenset, bytes):
            if isinstance(x, base):
                return encode(base(x), out, other, depth)
        module = type(x).__module__
        if module == "fractions" and type(x).__name__ == "Fraction":
            return out.append(b"q%x;%x;" % (x.numerator, x.denominator) if x >= 0 else b"q-%x;%x;" % (-x.numerator, x.denominator))
        if module == "decimal" and type(x).__name__ == "Decimal":
            text = str(x).encode()
            return out.append(b"D%x;" % len(text) + text)
        if module == "collections" and type(x).__name__ == "deque":
            return encode(list(x), out, other, depth)
        if module == "numpy" and hasattr(x, "tolist"):
            return encode(x.tolist(), out, other, depth)
        objects.append(x)
        out.append(b"o%x %s;" % (len(objects) - 1, type(x).__name__.encode("ascii", "replace").replace(b";", b"?")))

    def special(kind, text):
        if kind == "g":
            return space[text]
        return objects[int(text.split()[0], 16)]

    def answer(request):
        op, target, args, kwargs = decode(request, 0, special)[0]
        if op == "call":
            return target(*args, **kwargs), args
        if op == "has":
            return [name for name in target if name in space], None
        if op == "get":
            return getattr(target, args), None
        if op == "set":
            return setattr(target, *args), None
        if op == "iter":
            return iter(target), None
        if op == "next":
            items = []
            for x in target:
                items.append(x)
                if len(items) == args:
                    break
            return items, None
        if op == "item":
            return target[args], None
        return {"len": len, "str": str, "repr": repr, "bool": bool}[op](target), None

    def complain(e):
        if isinstance(e, MemoryError):
            return "MemoryError"
        try:
            return "%s: %s" % (type(e).__name__, e)
        except BaseException:
            return type(e).__name__

    kind, source = receive()
    module = types.ModuleType("program")  # so that a main block, which would wait for input, does not run
    sys.modules["program"] = module
    space = module.__dict__
    space["__builtins__"] = builtins
    try:
        code = compile(source, "<program>", "exec", dont_inherit=True)
    except BaseException as e:
        send(b"E", ("C" + complain(e)).encode("utf-8", "replace"))
        return
    try:
        exec(code, space)
    except BaseException as e:
        send(b"E", ("R" + complain(e)).encode("utf-8", "replace"))
        return
    send(b"K")
    while True:
        kind, request = receive()
        out = []
        try:
            value, args = answer(request)
            encode(value, out, other)
            # what the call did to lists, dicts and sets that it was given
            changed = [a if type(a) in (list, dict, set, bytearray) else None for a in args] if args else None
            encode(changed, out, other)
            if sum(map(len, out)) > MOST_BYTES:
                raise ValueError("a value of more than %d bytes" % MOST_BYTES)
            send(b"R", b"v" + b"".join(out))
        except BaseException as e:
            names = [c.__name__ for c in type(e).__mro__]
            out = []
            encode([names, complain(e)], out, other)
            send(b"R", b"e" + b"".join(out))


# ---- the tests' side --------------------------------------------------------------------------------------------------

class ProgramError(Exception):
    """The program raised something that is no builtin exception, or ended itself."""


def tests():
    import importlib
    import math  # preloaded, as are the next two, so that tests start quickly
    import collections
    import random
    import re

    def ask(op, target, args=None, kwargs=None):
        out = []
        encode((op, target, args, kwargs), out, other)
        send(b"C", b"".join(out))
        kind, reply = receive()
        if kind != b"R":
            os._exit(0)
        try:
            value, i = decode(reply, 1, special)
            after = decode(reply, i, special)[0] if reply[:1] == b"v" else None
        except Exception:
            raise ProgramError("the program's answer cannot be read") from None
        if reply[:1] == b"v":
            return value, after
        names, message = value
        for name in names:
            known = getattr(builtins, str(name), None)
            if isinstance(known, type) and issubclass(known, Exception):
                try:
                    e = known(str(message))
                except TypeError:
                    break
                raise e
        raise ProgramError(str(message))

    class Remote:
        """An object that stays with the program. Equal only to itself, whatever the program thinks."""

        def __init__(self, text):
            object.__setattr__(self, "_id", text)

        def __call__(self, *args, **kwargs):
            value, after = ask("call", self, list(args), kwargs)
            for mine, now in zip(args, after or ()):
                if type(mine) in (list, bytearray) and type(now) is type(mine):
                    if mine != now:
                        mine[:] = now
                elif type(mine) in (dict, set) and type(now) is type(mine) and mine != now:
                    mine.clear()
                    mine.update(now)
            return value

        def __getattr__(self, name):
            return ask("get", self, name)[0]

        def __setattr__(self, name, value):
            ask("set", self, [name, value])

        def __iter__(self):
            it = ask("iter", self)[0]
            if type(it) is not Remote:
                yield from it
                return
            drawn = 0
            n = 1
            while True:
                items = ask("next", it, n)[0]
                yield from items
                drawn += len(items)
                if len(items) < n:
                    return
                if drawn > MOST_ITEMS:
                    raise ProgramError("an iterator of the program does not end")
                n = min(n * 2, 4096)

        def __next__(self):
            items = ask("next", self, 1)[0]
            if not items:
                raise StopIteration
            return items[0]

        def __getitem__(self, key):
            return ask("item", self, key)[0]

        def __len__(self):
            return ask("len", self)[0]

        def __str__(self):
            return ask("str", self)[0]

        def __repr__(self):
            return ask("repr", self)[0]

        def __bool__(self):
            return ask("bool", self)[0]

        def __eq__(self, b):
            return type(b) is Remote and self._id == b._id

        def __hash__(self):
            return hash(self._id)

    class Global(Remote):
        pass

    def special(kind, text):
        return Remote(text)

    def other(x, out, depth):
        if type(x) is Remote:
            return out.append(b"o" + x._id.encode() + b";")
        if type(x) is Global:
            name = x._id.encode()
            return out.append(b"g%x;" % len(name) + name)
        for base in (int, float, str, dict, list, tuple, set, frozenset):
            if isinstance(x, base):
                return encode(base(x), out, other, depth)
        kind = type(x).__name__
        if kind == "Fraction":
            return out.append(b"q%x;%x;" % (x.numerator, x.denominator) if x >= 0 else b"q-%x;%x;" % (-x.numerator, x.denominator))
        if kind == "Decimal":
            text = str(x).encode()
            return out.append(b"D%x;" % len(text) + text)
        raise Unencodable("the tests pass an object of type %s, which cannot travel" % kind)

    def names_of(code):
        yield from code.co_names
        for c in code.co_consts:
            if hasattr(c, "co_names"):
                yield from names_of(c)

    def compiled(text, where, space):
        """Code, after the names that neither it nor Python defines were looked for in the program."""
        code = compile(text, where, "exec")
        lacking = []
        for n in sorted(set(names_of(code))):
            if n in space or hasattr(builtins, n):
                continue
            # a library that the tests lean on (math.isclose) is Python's own, never what the program calls by its name
            if n in sys.stdlib_module_names and re.search(r"\b%s\s*\." % n, text):
                space[n] = importlib.import_module(n)
            else:
                lacking.append(n)
        for name in ask("has", lacking)[0] if lacking else ():
            if name in lacking:
                space[name] = Global(name)
        return code

    def check_syntax(job):
        prelude, setup, assertions, check, entry = decode(job, 0, special)[0]
        for text in [setup, check, *assertions]:
            compile(text, "<tests>", "exec")
        return "P", "the tests can be compiled"

    def run(job):
        prelude, setup, assertions, check, entry = decode(job, 0, special)[0]
        space = {"__name__": "tests", "__builtins__": builtins}
        if prelude:
            # what the prompt itself defines is the prompt's, not the model's version of it: the tests rely on it
            try:
                code = compile(prelude, "<prompt>", "exec")
            except SyntaxError:
                code = compile(prelude + "\n    pass\n", "<prompt>", "exec")  # it ended with the signature
            exec(code, space)
        if entry:
            if ask("has", [entry])[0] != [entry]:
                return "R", "the program does not define %s" % entry
            space[entry] = Global(entry)
        if setup:
            outcome = held(lambda: exec(compiled(setup, "<setup>", space), space), "the set-up")
            if outcome:
                return outcome
        for i, text in enumerate(assertions):
            outcome = held(lambda: exec(compiled(text, "<test>", space), space), "test %d of %d" % (i + 1, len(assertions)))
            if outcome:
                return outcome
        if check:
            exec(compiled(check, "<tests>", space), space)
            outcome = held(lambda: space["check"](space[entry]), "check")
            if outcome:
                return outcome
        return "P", "all assertions hold"

    def held(test, name):
        try:
            test()
        except AssertionError as e:
            return "W", "%s failed" % name + (": %s" % e if str(e) else "")
        except Unencodable as e:
            return "D", str(e)
        except Exception as e:
            return "R", "%s: %s: %s" % (name, type(e).__name__, e)

    import resource
    import signal
    while True:
        kind, job = receive()
        if kind not in b"JQ":
            continue  # an abort that came after the end
        seconds = int.from_bytes(job[:4], "little")
        pid = os.fork()
        if pid == 0:
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            random.seed(0)
            try:
                code, message = (run if kind == b"J" else check_syntax)(job[4:])
            except MemoryError:
                code, message = "R", "the tests ran out of memory on the program's answers"
            except RecursionError:
                code, message = "R", "RecursionError"
            except BaseException as e:
                code, message = "D", "the tests are broken: %s: %s" % (type(e).__name__, e)
            send(b"V", (code + message).encode("utf-8", "replace")[:400])
            os._exit(0)
        status = os.waitpid(pid, 0)[1]
        send(b"Z", b"t" if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL) else b"e" if status else b"o")


def main():
    which = sys.argv[1]
    if which == "program":
        program()
    else:
        tests()


main()
