// Limit of "drain": starts COUNT children `bash -c :`, at most WIDTH at a time, and prints the seconds that took.
// Nothing is read, recorded or moved. Usage: spawn_loop COUNT WIDTH
#include "common.h"

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: spawn_loop COUNT WIDTH\n");
        return 64;
    }
    long count = atol(argv[1]), width = atol(argv[2]), running = 0;
    char *const arguments[] = {"bash", "-c", ":", NULL};
    int64_t start = now_ns();
    for (long i = 0; i < count; i++) {
        if (running == width) {
            reap();
            running--;
        }
        spawn(arguments);
        running++;
    }
    while (running-- > 0) reap();
    printf("%.6f\n", (double)(now_ns() - start) / 1e9);
    return 0;
}
