// Ping-pong as it stands in benchmarks written in C: what bench-app's loop in Rust is compared with.

#include <mpi.h>

// Rank 0's part, k times. Not MPI_SUCCESS where any call failed.
int pingpong_ping(const void *out, void *in, int bytes, int peer, unsigned k)
{
    int failed = MPI_SUCCESS;
    for (unsigned i = 0; i < k; i++) {
        failed |= MPI_Send(out, bytes, MPI_BYTE, peer, 0, MPI_COMM_WORLD);
        failed |= MPI_Recv(in, bytes, MPI_BYTE, peer, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    }
    return failed;
}

// Rank 1's.
int pingpong_pong(const void *out, void *in, int bytes, int peer, unsigned k)
{
    int failed = MPI_SUCCESS;
    for (unsigned i = 0; i < k; i++) {
        failed |= MPI_Recv(in, bytes, MPI_BYTE, peer, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        failed |= MPI_Send(out, bytes, MPI_BYTE, peer, 0, MPI_COMM_WORLD);
    }
    return failed;
}
