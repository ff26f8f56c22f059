"""PyTorch as an engine: `torch_engine.py THREADS [compile]`; the protocol is that of `protocol.ts`."""
import ctypes
import json
import os
import re
import sys
import time

# What libraries print must not get between the answers.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def say(**answer):
    print(json.dumps(answer, separators=(",", ":")), file=answers, flush=True)


try:
    import torch
except ImportError as error:
    say(answer="refused", reason=f"{sys.executable} has no PyTorch ({error}): deno run -A bench/setup.ts")
    sys.exit()

from torch_work import Refusal, prepare

TIMING_SECONDS = 0.005


def blas():
    """The library that multiplies matrices, with its kernel; None for the reference one."""
    config = torch.__config__.show()
    mkl = re.search(r"Math Kernel Library Version (\S+)", config)
    if mkl:
        return f"MKL {mkl[1]}"
    with open("/proc/self/maps") as maps:
        paths = {line.split()[-1] for line in maps if "openblas" in line}
    for path in sorted(paths):
        library = ctypes.CDLL(path)
        if not hasattr(library, "openblas_get_corename"):
            continue
        for name in ("openblas_get_corename", "openblas_get_config"):
            getattr(library, name).restype = ctypes.c_char_p
        version = " ".join(library.openblas_get_config().decode().split()[:2])
        return f"{version} {library.openblas_get_corename().decode()}"
    return None


def version(threads):
    found = blas()
    if found is None:
        say(answer="refused", reason="its BLAS is the reference one: deno run -A bench/setup.ts")
        sys.exit()
    config = torch.__config__.show()
    dnnl = re.search(r"MKL-DNN v(\S+)", config)
    level = re.search(r"CPU capability usage: (\S+)", config)
    parts = [f"PyTorch {torch.__version__}", found, f"oneDNN {dnnl[1]}" if dnnl else "no oneDNN",
             level[1] if level else "", f"{threads} thread" + ("s" if threads > 1 else "")]
    return ", ".join(part for part in parts if part)


class Bench:
    def __init__(self, work):
        self.run = work.run
        self.call_seconds = None

    def time(self, count):
        cpu, start = time.process_time(), time.perf_counter()
        for _ in range(count):
            self.run()
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu
        return {"wallMs": wall * 1000 / count, "cpuMs": cpu * 1000 / count}

    def calls_for(self, seconds):
        return min(10_000, max(1, round(seconds / self.call_seconds)))

    def warm(self, seconds):
        start, calls = time.perf_counter(), 0
        while calls < 2 or time.perf_counter() - start < seconds:
            count = self.calls_for(0.25) if self.call_seconds else 1
            self.call_seconds = self.time(count)["wallMs"] / 1000
            calls += count
        return calls

    def measure(self, seconds, most):
        start, samples = time.perf_counter(), []
        if self.call_seconds < 0.1:
            self.time(1)
        count = self.calls_for(TIMING_SECONDS)
        while not samples or (len(samples) < most and time.perf_counter() - start < seconds):
            samples.append(self.time(count))
        return samples


def answer(bench, question):
    if question["ask"] == "warm":
        say(answer="warm", calls=bench.warm(question["seconds"]))
    else:
        samples = bench.measure(question["seconds"], question["samples"])
        say(answer="measured", samples=samples)


def main():
    threads, compiled = int(sys.argv[1]), "compile" in sys.argv[2:]
    torch.set_num_threads(threads)
    say(answer="hello", version=version(threads) + (", compiled" if compiled else ""))
    bench = None
    for line in sys.stdin:
        question = json.loads(line)
        try:
            if question["ask"] == "prepare":
                bench = None
                work = prepare(question["workload"], compiled)
                bench = Bench(work)
                say(answer="ready", sample=work.sample(), note=work.note)
            else:
                answer(bench, question)
        except Refusal as refusal:
            say(answer="refused", reason=str(refusal))
        except Exception as error:  # One workload that fails must not end the others.
            say(answer="failed", reason=f"{type(error).__name__}: {error}")


main()
