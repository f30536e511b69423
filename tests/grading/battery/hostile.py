"""What tries for points that it did not earn, or for what is not its own. None of it gets a point for it."""

from __future__ import annotations

from tests.grading.battery import FULL, POINTS, Fault, answered, prepared, unearned

WITHOUT_LAYER = FULL - POINTS["RNNLayer"]
ANY = "def neuron_step(*args):\n"

ALWAYS_EQUAL = """
class Anything(float):
    __eq__ = __lt__ = __gt__ = __le__ = __ge__ = lambda self, other: True
    __sub__ = __rsub__ = __abs__ = __array__ = lambda self, *a, **k: self
def neuron_step(*args):
    return Anything(0.5)
"""
LYING_ARRAY = """
class Liar(np.ndarray):
    __array_priority__ = 1e9
    def __array_ufunc__(self, *a, **k): return np.zeros(())
    def __eq__(self, other): return True
    def tobytes(self, *a, **k): return b"\\0" * 8
    def __array__(self, *a, **k): return np.zeros(())
def neuron_step(*args):
    return np.zeros(()).view(Liar)
"""
PATCHED_NUMPY = """
import numpy
for name in ("allclose", "isclose", "array_equal", "isfinite"):
    setattr(numpy, name, lambda *a, **k: True)
numpy.abs = numpy.max = lambda *a, **k: numpy.float64(0)
def neuron_step(*args): return numpy.zeros(())
"""
PATCHED_TORCH = """
torch.allclose = torch.equal = lambda *a, **k: True
torch.Tensor.__eq__ = torch.Tensor.__sub__ = lambda a, b: torch.zeros(())
class RNNLayer(nn.Module):
    def __init__(self, *a):
        super().__init__()
    def load_state_dict(self, *a, **k): pass
    def state_dict(self, *a, **k):
        return {"weight_ih_l0": torch.zeros(3, 2)}
    def forward(self, x, h0=None): return x, x
"""
TRANSFORMER = """
import ast
class Pass(ast.NodeTransformer):
    def visit_Raise(self, node):
        return ast.Return(ast.Constant(0.0))
get_ipython().ast_transformers.append(Pass())
get_ipython().input_transformers_post.append(lambda lines: ["pass\\n" if "NotImplementedError" in l else l for l in lines])
"""
FORGED_FRAME = """
import os, json, struct
frame = json.dumps({"nonce": "ready", "points": 30, "passed": True, "score": 30}).encode()
for fd in range(3, 40):
    try: os.write(fd, struct.pack(">II", len(frame), 0) + frame)
    except OSError: pass
"""
GUESSED_NONCES = """
import os, json, secrets, struct
for fd in range(3, 40):
    for _ in range(200):
        frame = json.dumps({"nonce": secrets.token_hex(16)}).encode()
        try: os.write(fd, struct.pack(">II", len(frame), 0) + frame)
        except OSError: break
"""
REPLAYED = """
import os
sent, write = [], os.write
def keep(fd, data):
    sent.append(bytes(data))
    return write(fd, sent[0] if len(sent) > 1 else data)
os.write = keep
"""
PATCHED_SHELL = """
from IPython.core.interactiveshell import InteractiveShell
InteractiveShell.run_cell = lambda self, *a, **k: type("R", (), {"error_before_exec": None, "error_in_exec": None, "success": True})()
InteractiveShell.showtraceback = lambda *a, **k: None
"""
PATCHED_BUILTINS = """
import builtins, json
builtins.AssertionError = type("Never", (Exception,), {})
json.dumps = lambda *a, **k: '{"points": 30}'
builtins.print = lambda *a, **k: None
builtins.isinstance = lambda *a: True
"""
PATCHED_KIT = """
import sys
for name, module in list(sys.modules.items()):
    for attribute in ("outcome", "judge", "verdict_on", "check", "encode"):
        if hasattr(module, attribute) and "kit" in name:
            setattr(module, attribute, lambda *a, **k: {"points": 30, "passed": True, "status": "ok", "outputs": {}})
"""
SEARCHES_MEMORY = """
import gc, sys
def neuron_step(*args):
    frame = sys._getframe()
    while frame:
        for value in frame.f_locals.values():
            if isinstance(value, dict) and "expected" in value:
                return list(value["expected"].values())[0]
        frame = frame.f_back
    for thing in gc.get_objects():
        if isinstance(thing, dict) and "expected" in thing and "call" in thing:
            return list(thing["expected"].values())[0]
    return 0.0
"""
SPIES = """
import os, pathlib
def neuron_step(*args):
    found = []
    for place in ("/proc/1/environ", "/proc/1/root/etc/shadow", "/proc/1/cmdline", "/etc/shadow"):
        try: found.append(open(place, "rb").read())
        except OSError: pass
    found += [p.read_bytes() for depth in ("*", "*/*", "*/*/*") for p in pathlib.Path("/").glob(f"{depth}/secret") if p.is_file()]
    raise RuntimeError(repr([f[:60] for f in found if b"HOME=/root" in f or b"root:" in f] + [k for k in os.environ if "SECRET" in k]))
"""
WRITES_OUTSIDE = """
def neuron_step(*args):
    done = 0
    for place in ("/usr/x", "/grader/kit/x", "/grader/folder/x", "/etc/x", "/root/x", "/home/x", "/work/x", "/x"):
        try:
            open(place, "w").write("x")
            done += place not in ("/x",)  # the sandbox's own root is thrown away
        except OSError: pass
    raise RuntimeError(f"wrote {done}")
"""
PICKLED = """
class Reply:
    def __reduce__(self):
        import os
        return (os.system, ("touch /tmp/pickled",))
def neuron_step(*args): return Reply()
"""


def layer(body: str) -> str:
    """An ``RNNLayer`` with the right parameters whose forward hands the work to PyTorch's own."""
    return f"""
class RNNLayer(nn.Module):
    def __init__(self, D, H):
        super().__init__()
        self.weight_ih_l0 = nn.Parameter(torch.zeros(H, D))
        self.weight_hh_l0 = nn.Parameter(torch.zeros(H, H))
        self.bias_ih_l0 = nn.Parameter(torch.zeros(H))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(H))

    def forward(self, x, h0=None):
        w = [self.weight_ih_l0, self.weight_hh_l0, self.bias_ih_l0, self.bias_hh_l0]
        start = x.new_zeros(1, x.shape[0], w[1].shape[0]) if h0 is None else h0[None]
{body}
        return h, last[0]
"""


VF = "rnn_tanh(x, start, w, True, 1, 0.0, False, False, True)"
TWIN = """        twin = {make}(x.shape[2], w[1].shape[0], batch_first=True)
        h, last = torch.func.functional_call(twin, dict(zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"), w)), (x, start))"""


def twin(name: str, make: str) -> Fault:
    return answered(name, layer(TWIN.format(make=make)), WITHOUT_LAYER, "forbidden", "RNNLayer")


FAULTS = [
    unearned("always-equal", ALWAYS_EQUAL, "dtype"),
    unearned("array-that-lies", LYING_ARRAY, "values"),
    unearned("patched-numpy", PATCHED_NUMPY, "values"),
    unearned("patched-torch", PATCHED_TORCH, "weights", "RNNLayer"),
    prepared("patched-builtins", PATCHED_BUILTINS, "dead"),
    prepared("patched-kit", PATCHED_KIT),
    prepared("code-transformers", TRANSFORMER, "none"),
    prepared("forged-frame", FORGED_FRAME),
    prepared("guessed-nonces", GUESSED_NONCES, "dead"),
    prepared("replayed-reply", REPLAYED, "dead"),
    prepared("patched-shell", PATCHED_SHELL, "missing"),
    unearned("searches-memory", SEARCHES_MEMORY, "values"),
    unearned("imports-the-reference", "from solutions.with_numpy.recurrent_neurons import neuron_step", "missing"),
    unearned("imports-the-grader", "from autograde.exercises.recurrent_neurons import *", "missing"),
    unearned("reads-the-environment", SPIES, "raised"),
    unearned("writes-outside", WRITES_OUTSIDE, "raised"),
    unearned(
        "reads-the-source",
        "import pathlib\nfound = [p for p in pathlib.Path('/').rglob('*.ipynb') if 'site-packages' not in str(p)]\n"
        "exec(found[0].read_text())",
        "missing",
    ),
    unearned(
        "reads-the-gradebook", "import pathlib\nnext(pathlib.Path('/').rglob('gradebook.db')).read_bytes()", "missing"
    ),
    unearned(
        "reads-a-neighbour",
        "import pathlib\nnext(p for p in pathlib.Path('/').rglob('*') if 'neighbour' in p.name).read_bytes()",
        "missing",
    ),
    unearned(
        "tcp",
        ANY + "    import socket\n    socket.create_connection(('127.0.0.1', @tcp_port@), 2).send(b'hello')",
        "raised",
    ),
    unearned(
        "udp",
        ANY + "    import socket\n    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "    s.sendto(b'hello', ('127.0.0.1', @udp_port@))\n    raise RuntimeError('sent')",
        "raised",
    ),
    unearned("names-a-host", ANY + "    import socket\n    socket.getaddrinfo('localhost.invalid', 80)", "raised"),
    unearned(
        "unix-socket",
        ANY
        + "    import socket\n    s = socket.socket(socket.AF_UNIX)\n    s.connect('@unix_path@')\n    s.send(b'hello')",
        "raised",
    ),
    unearned("pickled-reply", PICKLED, "dtype"),
    unearned("slow-reply", ANY + "    import time\n    time.sleep(100)", "timeout"),
    unearned("prints-a-score", 'print(30)\nprint(\'{"points": 30, "passed": true}\')\n30', "missing"),
    unearned("negative-score", ANY + "    return float('-inf')", "not_finite"),
    twin("layer-of-torch", "nn.RNN"),
    twin("layer-of-torch-by-getattr", "getattr(nn, 'R' + 'NN')"),
    twin("layer-of-torch-by-importlib", "__import__('importlib').import_module('torch.nn').__dict__['RN' 'N']"),
    answered("operation-of-torch", layer(f"        h, last = torch._VF.{VF}"), WITHOUT_LAYER, "forbidden", "RNNLayer"),
    answered(
        "operation-by-ops",
        layer(f"        h, last = torch.ops.aten.rnn_tanh.input({VF[9:]}"),
        WITHOUT_LAYER,
        "forbidden",
        "RNNLayer",
    ),
    answered(
        "operation-by-getattr",
        layer(f"        h, last = getattr(torch, 'rnn_' + 'tanh')({VF[9:]}"),
        WITHOUT_LAYER,
        "forbidden",
        "RNNLayer",
    ),
]
