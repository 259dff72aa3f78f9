#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether a command and the objects of its library are built as cmake/MasFlowHardening.cmake says.

usage: hardening.py <command> <libmasflow.a>    what was built
       hardening.py --selftest <c++ compiler>   that each thing missing is found
"""
import os
import re
import subprocess
import sys
import tempfile


def output(*command, folder=None):
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder,
                          env={**os.environ, "LC_ALL": "C"}).stdout


def missing_in_command(path):
    """Of the link: what the loader and the kernel see."""
    text = output("readelf", "--wide", "--file-header", "--program-headers", "--dynamic", path)
    flags = " ".join(re.findall(r"\(FLAGS(?:_1)?\)\s+(.*)", text))
    stack = re.search(r"GNU_STACK.*?\s([RWE]+)\s+0x", text)
    checks = {
        "PIE": "Type:" in text and re.search(r"Type:\s+DYN", text) and re.search(r"\bPIE\b", flags),
        "RELRO": "GNU_RELRO" in text,
        "now": re.search(r"\bNOW\b", flags),
        "a stack without code": stack and "E" not in stack[1],
        "no code that is written at the start": "TEXTREL" not in text,
        "no search path of libraries": not re.search(r"\((RPATH|RUNPATH)\)", text),
    }
    return [name for name, found in checks.items() if not found]


def missing_in_objects(folder, objects):
    """Of the compiler: also of code that is linked with others' which is not built so."""
    symbols = output("nm", "--undefined-only", *objects, folder=folder)
    code = output("objdump", "--disassemble", "--no-show-raw-insn", *objects, folder=folder)
    machine = output("readelf", "--file-header", objects[0], folder=folder)
    x86 = "X86-64" in machine
    checks = {
        "stack protector": "__stack_chk_fail" in symbols,
        "FORTIFY": re.search(r"__\w+_chk\b(?<!__stack_chk)", symbols),
        # Touches each page of a large frame, one after the other.
        "stack clash protection": not x86 or re.search(r"or[lq]\s+\$0x0,(0x0)?\(%rsp\)", code),
    }
    missing = [name for name, found in checks.items() if not found]
    if x86:
        for name in objects:
            notes = output("readelf", "--wide", "--notes", name, folder=folder)
            if not re.search(r"x86 feature:.*IBT.*SHSTK", notes):
                missing.append(f"CET ({name})")
    return missing


def check(command, archive):
    with tempfile.TemporaryDirectory() as folder:
        output("ar", "x", os.path.abspath(archive), folder=folder)
        objects = sorted(os.listdir(folder))
        assert objects, archive
        return missing_in_command(command) + missing_in_objects(folder, objects)


PROGRAM = """
#include <cstdio>
#include <cstring>
void fill(char*);
int main(int argc, char** argv) {
  char large[20000];
  fill(large);
  char small[8];
  strcpy(small, argv[argc - 1]);
  return small[0] + large[argc];
}
void __attribute__((noinline)) fill(char* text) { std::memset(text, 1, 20000); }
"""
GOOD = ("-O2", "-fstack-protector-strong", "-fstack-clash-protection", "-fcf-protection=full",
        "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2", "-fPIE", "-pie", "-Wl,-z,relro", "-Wl,-z,now",
        "-Wl,-z,noexecstack")
SPOILT = {
    "stack protector": "-fno-stack-protector",
    "FORTIFY": "-U_FORTIFY_SOURCE",
    "stack clash protection": "-fno-stack-clash-protection",
    "CET": "-fcf-protection=none",
    "PIE": "-no-pie",
    "RELRO": "-Wl,-z,norelro",
    "now": "-Wl,-z,lazy",
    "a stack without code": "-Wl,-z,execstack",
    "no search path of libraries": "-Wl,-rpath,/tmp",
}


def selftest(compiler):
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "main.cc"), "w", encoding="ascii") as file:
            file.write(PROGRAM)

        def missing(*flags):
            for names in ("main.o", "main", "all.a"):
                if os.path.exists(os.path.join(folder, names)):
                    os.remove(os.path.join(folder, names))
            output(compiler, *GOOD, *flags, "-c", "main.cc", "-o", "main.o", folder=folder)
            output(compiler, *GOOD, *flags, "main.o", "-o", "main", folder=folder)
            output("ar", "rc", "all.a", "main.o", folder=folder)
            return check(os.path.join(folder, "main"), os.path.join(folder, "all.a"))

        found = missing()
        wrong = [f"nothing is missing, but found: {found}"] if found else []
        for name, flag in SPOILT.items():
            found = missing(flag)
            if not any(one.startswith(name) for one in found):
                wrong.append(f"with {flag} '{name}' is missing, but found: {found}")
        return wrong


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    if sys.argv[1] == "--selftest":
        wrong = selftest(sys.argv[2])
    else:
        wrong = [f"missing: {name}" for name in check(*sys.argv[1:])]
    print("\n".join(wrong) if wrong else "all there")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
