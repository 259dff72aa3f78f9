# SPDX-License-Identifier: Apache-2.0
"""What is run on which kernel: rows of forced mechanisms, and the scenarios of each."""

import dataclasses

# Debian's suite, by the kernel that it has.
SUITES = {"5.10": "bullseye", "6.1": "bookworm", "6.12": "trixie", "7.2": "sid"}
KERNELS = tuple(SUITES)

LENGTHS = ("6.12", "7.2")  # have sock_send_length and sock_recv_length (6.3)
PASSES = ("tcp pass", "http pass")
PASS_ITERATOR = "iter bpf_map_elem"
PREEMPTS = ("7.2",)  # programs of tracepoints can be preempted (7.0)
REGISTERS = ("6.1", "6.12", "7.2")  # have bpf_task_pt_regs (5.15)

FENTRY_ENDS = {"tcp accept": "fentry security_sock_graft",
               "tcp connect error": "fexit tcp_v4_connect, tcp_v6_connect"}
KPROBED_ENDS = {"tcp accept": "kprobe security_sock_graft",
                "tcp connect error": "kretprobe tcp_v4_connect, tcp_v6_connect"}


def receive_arguments(kernel):
    return {"5.10": 6, "6.1": 5, "6.12": 5, "7.2": 4}[kernel]


def send_fexit(kernel):
    return "fexit tcp_sendmsg" + (", tcp_sendpage" if kernel in ("5.10", "6.1") else "")


def receive_fexit(kernel):
    return f"fexit tcp_recvmsg, tcp_splice_read ({receive_arguments(kernel)} arguments)"


def http_receive_fexit(kernel):
    return f"fentry, fexit tcp_recvmsg ({receive_arguments(kernel)} arguments)"


def best(kernel, architecture):
    """What the library has to choose by itself."""
    if architecture == "arm64":
        chosen = best(kernel, "amd64")
        if kernel in ("5.10", "6.1"):  # fentry and fexit attach there from 6.4 on
            return chosen | kprobe(kernel) | {"exec failure": "raw_tp sys_exit",
                                              **{name: chosen[name] for name in PASSES}}
        return chosen | {"exec failure": "fexit __arm64_sys_execve"}
    lengths = kernel in LENGTHS
    return {
        "process exec": "raw_tp sched_process_exec",
        "process exit": "raw_tp sched_process_exit "
                        + ("(group_dead)" if kernel == "7.2" else "(signal->live)"),
        "process fork": "raw_tp sched_process_fork",
        # The types of Debian's 5.10 do not describe the argument of execveat.
        "exec failure": "raw_tp sys_exit" if kernel == "5.10" else "fexit __x64_sys_execve",
        "tcp state": "raw_tp inet_sock_set_state",
        "tcp destroy": "raw_tp tcp_destroy_sock",
        **(KPROBED_ENDS if kernel in PREEMPTS else FENTRY_ENDS),
        "tcp send": "raw_tp sock_send_length" if lengths else send_fexit(kernel),
        "tcp receive": "raw_tp sock_recv_length" if lengths else receive_fexit(kernel),
        "http send": "tp_btf sock_send_length" if lengths
                     else "fentry, fexit tcp_sendmsg_locked",
        "http receive": "tp_btf sock_recv_length" if lengths else http_receive_fexit(kernel),
        "http end": "raw_tp inet_sock_set_state, tcp_destroy_sock",
        "tcp pass": PASS_ITERATOR if kernel == "5.10" else "run bpf_for_each_map_elem",
        "http pass": PASS_ITERATOR if kernel == "5.10" else "run bpf_for_each_map_elem",
    }


def fexit(kernel):
    return {**FENTRY_ENDS, "tcp send": send_fexit(kernel), "tcp receive": receive_fexit(kernel),
            "http send": "fentry, fexit tcp_sendmsg_locked",
            "http receive": http_receive_fexit(kernel)}


def kprobe(kernel):
    sendpage = "tcp_sendpage, " if kernel in ("5.10", "6.1") else ""
    return {**KPROBED_ENDS, "tcp send": f"kprobe tcp_sendmsg_locked, {sendpage}release_sock",
            "tcp receive": "raw_tp tcp_rcv_space_adjust",
            "http send": "kprobe tcp_sendmsg_locked, release_sock",
            "http receive": "kprobe tcp_recvmsg, raw_tp tcp_rcv_space_adjust",
            "tcp pass": PASS_ITERATOR, "http pass": PASS_ITERATOR}


TRACEPOINT = {
    "tcp accept": "tracepoint sys_exit_accept, sys_exit_accept4",
    "tcp connect error": "tracepoint sys_exit_connect",
}
SYS_EXIT = {
    "exec failure": "raw_tp sys_exit",
    "tcp accept": "tp_btf sys_exit",
    "tcp connect error": "tp_btf sys_exit",
}


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    forced: dict
    scenarios: tuple
    cgroups: str = ""  # how they are set up, if not hybrid
    command: str = ""  # instead of scenarios
    smoke: tuple = ()  # the fewest scenarios that touch its mechanisms; none: all of them


PROCESS = ("Exec*", "Exit*", "Each/Exit*", "Fork*", "Filter*", "Snapshot*", "Record*", "Host*",
           "Lifecycle*", "Environment*", "Fallback*", "Clock*", "Wakeup*", "Storm*", "Ring/*", "Memory*")
ENDS = ("TcpAccept*", "TcpConnectError*", "CompatTest.AnAccept*", "CompatTest.AConnect*")
OTHER_WAYS = ("Ktls*", "Mptcp*", "Zerocopy*")
CALLS = ("TcpCall*", "TcpBytesTest.ByInterval") + OTHER_WAYS
HTTP = ("Http*", "CompatTest.ARequest*")
# What depends on how bytes are seen to move; the rest works on the records, whoever made them.
HTTP_HOOKS = ("HttpCalls*", "HttpMessagesTest.UntilClose", "HttpMessagesTest.TheResponseAnd*",
              "HttpMessagesTest.AMebibyte*", "HttpMessagesTest.ChunksThat*",
              "HttpFailureTest.TheServer*", "HttpFailureTest.HalfAClose*", "CompatTest.ARequest*")
SMOKE_ENDS = ("TcpAcceptTest.PreForked*", "TcpAcceptTest.ByIoUring", "TcpConnectErrorTest.Routes*",
              "CompatTest.AnAccept*", "CompatTest.AConnect*")
SMOKE_CALLS = ("TcpCallTest.EachWay*", "TcpCallTest.AsMuch*", "TcpCallTest.Splice") + OTHER_WAYS
SMOKE_HTTP = ("HttpCallsTest.EachCall*", "HttpCallsTest.ManyMessages*", "HttpCallsTest.Untouched*",
              "HttpCallsTest.WhatTheSocket*",
              "HttpMessagesTest.ChunksThat*", "HttpFailureTest.TheServerResetsWithin*")
SMOKE_PROCESS = ("Fallback*", "EnvironmentTest.WithTheTwo*", "EnvironmentTest.WithLittle*",
                 "EnvironmentTest.*TwoCapabilitiesOnly", "ExecTest.LsIs*",
                 "ExecFailureTest.EachError*", "CompatTest.AFailed*", "ExitTest.*",
                 "ForkTest.ChildAndParent", "SnapshotTest.WhatRuns*", "StormTest.OneProcessor*")
ALL_TCP = ("Tcp*", "*/Tcp*", "Curl*") + OTHER_WAYS
CGROUPS = ("FilterTest.ByCgroup*", "TcpFilterTest.ByCgroup*", "ExecTest.LsIs*",
           "ForkTest.ChildAndParent", "SnapshotTest.WhatRuns*", "Workload*")
ALWAYS = ("MechanismsTest.*", "ScriptTest.*")


# What it says is compared with best(); "attaching" and its "ready" are a start as users see it.
COMMAND = "masflow doctor && echo attaching && masflow --duration 1s 2>&1"


def rows(kernel):
    # Version 2 first, see cgroups.sh; hybrid then stays.
    found = [Row(f"cgroup-{kind}", {}, CGROUPS, kind) for kind in ("v2", "v1", "hybrid")]
    found += [Row("command", {}, (), command=COMMAND),
             Row("best", {}, PROCESS + ALL_TCP + HTTP + ("Compat*",),
                 smoke=SMOKE_PROCESS + SMOKE_ENDS + SMOKE_CALLS + SMOKE_HTTP)]
    if kernel in LENGTHS:
        # Where kprobes are preferred for them, no other row has the ends by fentry and fexit.
        ends, smoke_ends = (ENDS, SMOKE_ENDS) if kernel in PREEMPTS else ((), ())
        found.append(Row("fexit", fexit(kernel), ends + CALLS + HTTP_HOOKS,
                         smoke=smoke_ends + SMOKE_CALLS + SMOKE_HTTP))
    found.append(Row("kprobe", kprobe(kernel), ENDS + CALLS + HTTP_HOOKS,
                     smoke=SMOKE_ENDS + SMOKE_CALLS + SMOKE_HTTP))
    if kernel in REGISTERS:
        found.append(Row("tracepoint", TRACEPOINT, ENDS, smoke=SMOKE_ENDS))
    found.append(Row("sys_exit", SYS_EXIT, ENDS + ("ExecFailure*", "CompatTest.AFailed*"),
                     smoke=SMOKE_ENDS + ("ExecFailureTest.EachError*", "CompatTest.AFailed*")))
    return found


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """Scenarios that a row cannot promise, or that say nothing more on an emulated machine."""
    scenarios: str
    why: str
    kernels: tuple = KERNELS
    rows: tuple = ()  # none: all
    architectures: tuple = ("amd64", "arm64")


LEFT_OUT = (
    LeftOut("HttpOtherTest.Tls:HttpOtherTest.Redis", "their servers are not in the machine"),
    LeftOut("HttpTimeTest.*", "compare clocks of processes, closer than an emulated machine keeps"),
    LeftOut("HttpMessagesTest.AGibibyte*", "takes minutes there"),
    LeftOut("LifecycleTest.OpenAndCloseLeave*", "a hundred starts take minutes there"),
    LeftOut("WakeupTest.*", "measure how soon things happen"),
    LeftOut("*LostWakeupTest.*", "a race of two processors; these are emulated in turn"),
    LeftOut("SnapshotTest.Joins*", "a storm that takes minutes there; and a processor that waits "
            "for its turn, some 100 ms, holds a record back for longer than the join looks back"),
    LeftOut("StormTest.OnePage*:StormTest.OtherHandlers*:TcpTableTest.AReader*",
            "rest on how fast the reader is, compared with the kernel"),
    LeftOut("CompatTest.*", "Debian's cloud kernels for arm64 take no 32-bit system calls",
            architectures=("arm64",)),
    LeftOut("Ktls*:Mptcp*:ZerocopyTest.Received*", "Debian's cloud kernel has neither TLS nor MPTCP, "
            "and a zero-copy receive takes whole pages only", kernels=("5.10",)),
    LeftOut("Fallback*", "there is room for any number of kprobes", kernels=PREEMPTS),
    LeftOut("Fallback*", "the same, and fentry is none of the mechanisms", kernels=("5.10", "6.1"),
            architectures=("arm64",)),
    LeftOut("By/TcpConnectGivenUpTest.Meanwhile/Shutdown", "shutdown() is refused there while "
            "another thread waits in connect()", kernels=("5.10",)),
    LeftOut("MemoryTest.*", "the kernel does not count what maps take", kernels=("5.10", "6.1")),
    LeftOut("Each/ExitMechanismTest.AllThreads*/SignalLive", "a preempted program is skipped, which is "
            "counted; its twin is in the mechanism that is chosen there", kernels=PREEMPTS),
    LeftOut("ExecFailureTest.TheReport*", "chooses mechanisms itself", rows=("sys_exit",)),
)


def filter_of(kernel, row, architecture):
    out = [each.scenarios for each in LEFT_OUT
           if kernel in each.kernels and architecture in each.architectures and
           (not each.rows or row.name in each.rows)]
    always = () if row.cgroups else ALWAYS
    return ":".join(row.scenarios + always) + ("-" + ":".join(out) if out else "")
