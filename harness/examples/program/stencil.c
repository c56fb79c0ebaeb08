/* A stand-in for a program of one's own: a one-dimensional stencil whose ranks exchange their edges and agree on a sum.
 * The campaign beside it says how it is compiled; by hand: mpirun -np 2 ./stencil 15000 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

enum { CELLS = 1 << 14, EDGE = 1 << 12 };

int main(int argc, char **argv) {
    static double now[CELLS + 2 * EDGE], next[CELLS + 2 * EDGE];
    int rank, size, steps = argc > 1 ? atoi(argv[1]) : 15000;
    double own, sum = 0;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    int left = (rank + size - 1) % size, right = (rank + 1) % size;
    for (int i = 0; i < CELLS; i++) now[EDGE + i] = rank + (double)i / CELLS;
    for (int step = 0; step < steps; step++) {
        MPI_Sendrecv(now + CELLS, EDGE, MPI_DOUBLE, right, 0, now, EDGE, MPI_DOUBLE, left, 0, MPI_COMM_WORLD,
                     MPI_STATUS_IGNORE);
        MPI_Sendrecv(now + EDGE, EDGE, MPI_DOUBLE, left, 1, now + EDGE + CELLS, EDGE, MPI_DOUBLE, right, 1,
                     MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        own = 0;
        for (int i = EDGE; i < EDGE + CELLS; i++) {
            next[i] = (now[i - 1] + 2 * now[i] + now[i + 1]) / 4;
            own += next[i];
        }
        for (int i = EDGE; i < EDGE + CELLS; i++) now[i] = next[i];
        MPI_Allreduce(&own, &sum, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    }
    if (rank == 0) printf("sum %.6f after %d steps on %d ranks\n", sum, steps, size);
    MPI_Finalize();
    return 0;
}
