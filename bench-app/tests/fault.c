// Put before an MPI library (LD_PRELOAD), it makes one call of one rank fail without having done anything:
// FAULT="MPI_Send 1 40 16" is rank 1's 40th MPI_Send, which returns 16. Open MPI alone, whose handles are pointers.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Whether this call of `name` is the one, else 0; its code if it is.
static int fault(const char *name, int *calls)
{
    const char *asked = getenv("FAULT"), *rank = getenv("OMPI_COMM_WORLD_RANK");
    char call[32];
    int of, nth, code;
    if (!asked || !rank || sscanf(asked, "%31s %d %d %d", call, &of, &nth, &code) != 4)
        return 0;
    return !strcmp(call, name) && of == atoi(rank) && ++*calls == nth ? code : 0;
}

#define SHIM(name, declared, passed)                              \
    int name declared                                             \
    {                                                             \
        static int calls;                                         \
        static int(*real) declared;                               \
        int code = fault(#name, &calls);                          \
        if (code)                                                 \
            return code;                                          \
        if (!real)                                                \
            real = (int(*) declared)dlsym(RTLD_NEXT, #name);      \
        return real passed;                                       \
    }

SHIM(MPI_Send, (const void *at, int count, void *type, int to, int tag, void *comm), (at, count, type, to, tag, comm))
SHIM(MPI_Recv, (void *at, int count, void *type, int from, int tag, void *comm, void *status),
     (at, count, type, from, tag, comm, status))
SHIM(MPI_Waitall, (int count, void *requests, void *statuses), (count, requests, statuses))
SHIM(MPI_Allreduce, (const void *from, void *into, int count, void *type, void *op, void *comm),
     (from, into, count, type, op, comm))
