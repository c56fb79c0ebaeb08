"""Interleaved launches of bench-app and its peers; pairs for the example `ratios` on standard output.

usage: peers.py ROUNDS JSON MPIRUN NAME=PATH..     bench-app first; LD_LIBRARY_PATH names the one MPI for all of them
"""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile

# Message sizes with the round trips of bench-app's batches.
SIZES = {8: 200, 1024: 170, 65536: 7, 1048576: 1}
SEED = 1
ROUNDS, JSON, MPIRUN = sys.argv[1:4]
PATHS = dict(word.split("=", 1) for word in sys.argv[4:])
# The wheel of 4.1.8 sleeps a second in MPI_Finalize with btl ofi. All programs are bound alike.
OPTIONS = ["-np", "2", "--map-by", "core", "--bind-to", "core", "--mca", "btl", "^ofi"]


def launch(*command, cwd=None, **variables):
    done = subprocess.run(
        [MPIRUN, *OPTIONS, *command], capture_output=True, text=True, timeout=120, cwd=cwd, env={**os.environ, **variables}
    )
    if done.returncode != 0:
        sys.exit(f"error: {command[0]} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def bench_app(path):
    """Every statistic that a peer keeps: of batches the median, as in a report, and the mean; of visits the best mean."""
    sizes = [word for size, k in SIZES.items() for word in ("--size", f"latency@{size}:{k}")]
    visits = {size: {} for size in SIZES}
    for line in launch(path, *sizes, "--rounds", "3", "--visit-ms", "20").splitlines():
        event = json.loads(line.split(" ", 3)[3]) if line.startswith("@sifbench ") else {}
        if event.get("event") == "measurement":
            visits[event["bytes"]].setdefault(event["visit"], []).extend(event["ns"])
    found = {"median": {}, "mean": {}, "best": {}}
    for size, k in SIZES.items():
        batches = [ns for visit in visits[size].values() for ns in visit]
        found["median"][size] = statistics.median(batches) / (2 * k)
        found["mean"][size] = statistics.fmean(batches) / (2 * k)
        found["best"][size] = min(map(statistics.fmean, visits[size].values())) / (2 * k)
    return found


def criterion(path):
    """Median and mean over its samples, of round trips."""
    found = {"median": {}, "mean": {}}
    with tempfile.TemporaryDirectory() as directory:
        launch(path, *map(str, SIZES), CRITERION_HOME=directory)
        for size in SIZES:
            with open(os.path.join(directory, str(size), "new", "estimates.json")) as file:
                estimates = json.load(file)
            for statistic, figures in found.items():
                figures[size] = estimates[statistic]["point_estimate"] / 2
    return found


def netpipe(path):
    """The best of its trials: it keeps no other. Each size in a launch of its own, for the way there is long."""
    found = {}
    for size in SIZES:
        with tempfile.TemporaryDirectory() as directory:
            launch(path, "-l", str(size), "-u", str(size + 1), "-p", "0", "-o", "np.out", cwd=directory)
            with open(os.path.join(directory, "np.out")) as file:
                bytes_, mbps, _ = file.readline().split()
        # Mbps (of 2^20 bits) has more digits than the seconds beside it.
        found[int(bytes_)] = int(bytes_) * 8 / (float(mbps) * 2**20) * 1e9
    return {"best": found}


def mpi4py(path):
    """The mean of round trips timed one by one, in s."""
    options = ["-m", str(min(SIZES)), "-n", str(max(SIZES)), "-a", "none"]
    rows = launch("python3", "-m", "mpi4py.bench", "pingpong", *options, PYTHONPATH=path).splitlines()
    rows = [row.replace("|", " ").split() for row in rows if not row.startswith("#")]
    return {"mean": {int(row[0]): float(row[2]) * 1e9 for row in rows}}


def osu(path):
    """The mean of its iterations, in us."""
    return table(launch(path, "-m", f"{min(SIZES)}:{max(SIZES)}"), column=1)


def imb(path):
    """The mean of its repetitions, t[usec]."""
    return table(launch(path, "PingPong", "-npmin", "2"), column=2)


def table(text, column):
    rows = [row.split() for row in text.splitlines() if row.strip() and row.split()[0].isdigit()]
    return {"mean": {int(row[0]): float(row[column]) * 1e3 for row in rows}}


PEERS = {
    "bench-app": bench_app,
    "criterion": criterion,
    "NetPIPE": netpipe,
    "mpi4py": mpi4py,
    "OSU": osu,
    "IMB": imb,
}
order = random.Random(SEED)
rounds = []
for block in range(int(ROUNDS)):
    names = order.sample(list(PATHS), len(PATHS))
    found = {name: PEERS[name](PATHS[name]) for name in names}
    rounds.append({"order": names, "half_round_trip_ns": found})
    ours = found["bench-app"]
    for size in SIZES:
        for name in list(PATHS)[1:]:
            for statistic, figures in found[name].items():
                print(f"{size} B: {name} {statistic},{block},{figures[size]:.3f},{ours[statistic][size]:.3f}", flush=True)
    print(f"round {block + 1} of {ROUNDS}", file=sys.stderr)
with open(JSON, "w") as file:
    json.dump({"seed": SEED, "mpirun": OPTIONS, "rounds": rounds}, file)
    file.write("\n")
