// The program that a benchmarked block runs: appends "NANOSECONDS\n" (CLOCK_MONOTONIC, read as the first thing in main) to FILE.
// Linked statically so that the loader costs next to nothing. Usage: stamp_time FILE
#include "common.h"

int main(int argc, char **argv) {
    int64_t start = now_ns();
    if (argc != 2) return 64;
    char line[32];
    int length = snprintf(line, sizeof line, "%lld\n", (long long)start);
    int fd = check(open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0600), argv[1]);
    return write(fd, line, (size_t)length) == length ? 0 : 1;
}
