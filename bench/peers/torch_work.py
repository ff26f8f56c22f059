"""Workloads in PyTorch. Each gives `run`, and `sample` for the comparison with ours."""
import time

import torch
from torch.nn import functional as F

import torch_fill as fill
from torch_nets import NETS


class Refusal(Exception):
    """PyTorch has nothing of the kind."""


class Work:
    def __init__(self, run, sample, note=None):
        self.run, self.sample, self.note = run, sample, note


def prepare(w, compiled=False):
    op = w["op"]
    if compiled and op not in ("train", "infer"):
        raise Refusal("nets alone are compiled")
    if op == "matmul":
        return matmul(w)
    if op.startswith("conv"):
        return faster(lambda form: convolution(w, form))
    if op == "batch-norm-relu":
        return faster(lambda form: norm_relu(w, form))
    if op == "train":
        return faster(lambda form: training(w, form, compiled), compiled)
    if op == "infer":
        return faster(lambda form: inference(w, form, compiled), compiled)
    raise Refusal("it replays no step")


FORMS = ((torch.contiguous_format, "NCHW"), (torch.channels_last, "channels last"))


def faster(make, compiled=False):
    """Both memory formats are tried; the faster one stands for PyTorch. A net that is compiled, which
    takes a minute, gets the one that its compiler lays convolutions out in anyway."""
    best = None
    for form, name in FORMS[1:] if compiled else FORMS:
        work = make(form)
        sample = work.sample()
        work.run()
        spent = min(timed(work.run) for _ in range(4))
        if best is None or spent < best[0]:
            work.sample, work.note = (lambda sample=sample: sample), name  # Computed once.
            best = (spent, work)
    return best[1]


def timed(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def matmul(w):
    a = fill.uniform([w["m"], w["k"]], fill.SEEDS["x"])
    b = fill.uniform([w["k"], w["n"]], fill.SEEDS["w"])
    return Work(no_grad(lambda: torch.mm(a, b)), lambda: fill.sample(torch.mm(a, b)))


def images(w, name, form, size=None):
    size = size or w["size"]
    shape = [w["batch"], size, size, w["channels"]]
    return fill.nchw(fill.uniform(shape, fill.SEEDS[name])).to(memory_format=form)


def convolution(w, form):
    c = w["channels"]
    deep = w.get("depthwise", False)
    k, s = w.get("kernel", 3), w.get("stride", 1)
    p = k // 2
    shape = [k, k, 1 if deep else c, c]
    x = images(w, "x", form)
    filters = fill.oihw(fill.uniform(shape, fill.SEEDS["w"])).to(memory_format=form)
    groups = c if deep else 1
    if w["op"] == "conv":
        run = no_grad(lambda: F.conv2d(x, filters, stride=s, padding=p, groups=groups))
        return Work(run, lambda: fill.images_sample(run()))
    dy = images(w, "dy", form, -(-w["size"] // s))
    wants_dx = w["op"] == "conv-input-gradient"

    def run():
        # The operation that autograd calls, for one of the gradients alone.
        grads = torch.ops.aten.convolution_backward(
            dy, x, filters, None, [s, s], [p, p], [1, 1], False, [0, 0], groups,
            [wants_dx, not wants_dx, False])
        return grads[0 if wants_dx else 1]

    read = fill.images_sample if wants_dx else fill.filters_sample
    return Work(no_grad(run), lambda: read(run()))


def norm_relu(w, form):
    c = w["channels"]
    x = images(w, "x", form)
    gamma, beta = torch.ones(c), fill.uniform([c], fill.SEEDS["w"])
    mean, var = torch.zeros(c), torch.ones(c)

    def forward():
        return F.relu(F.batch_norm(x, mean, var, gamma, beta, True), inplace=True)

    if not w["backward"]:
        run = no_grad(forward)
        return Work(run, lambda: fill.images_sample(run()))
    dy = images(w, "dy", form)
    for t in (x, gamma, beta):
        t.requires_grad_(True)

    def both():
        for t in (x, gamma, beta):
            t.grad = None
        forward().backward(dy)

    def sample():
        both()
        return fill.images_sample(x.grad)

    return Work(both, sample)


SMALL = ("tutorial-cnn", "resnet18-small")


def filled(w, form, compiled):
    """A net, pictures and labels."""
    net = NETS[w["model"]]()
    fill.fill_parameters(net)
    net = net.to(memory_format=form)
    small = w["model"] in SMALL
    size = w.get("size", 32 if small else 224)
    x = fill.pictures(w["batch"], size).to(memory_format=form)
    classes = fill.labels(w["batch"], 10 if small else 1000)
    return torch.compile(net) if compiled else net, x, classes


def training(w, form, compiled):
    net, x, classes = filled(w, form, compiled)
    net.train()
    optimizer = torch.optim.SGD(net.parameters(), lr=fill.RATE, momentum=fill.MOMENTUM)

    def run():
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(net(x), classes)
        loss.backward()
        optimizer.step()
        return loss

    def sample():
        losses = [run().item() for _ in range(fill.CHECKED_STEPS)]
        optimizer.param_groups[0]["lr"] = 0.0  # See `training` in fill.ts.
        return losses

    return Work(run, sample)


def inference(w, form, compiled):
    net, x, _ = filled(w, form, compiled)
    net.eval()
    run = no_grad(lambda: net(x))
    return Work(run, lambda: fill.sample(run()))


def no_grad(f):
    def run():
        with torch.no_grad():
            return f()
    return run
