# Runs its arguments under a filter of system calls in which process_vm_readv ends in EPERM, as containers' filters may have it.
import ctypes
import os
import struct
import sys

number = {"x86_64": 310, "aarch64": 270}[os.uname().machine]
# Load the number of the call; if it is that one: errno 1, else allow.
filter = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in filter))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(filter), ctypes.addressof(code)))
libc = ctypes.CDLL(None)
NO_NEW_PRIVS, SECCOMP, FILTER = 38, 22, 2
assert libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0) == 0
assert libc.prctl(SECCOMP, FILTER, program) == 0
os.execvp(sys.argv[1], sys.argv[1:])
