// Limit of "drain" with flowspool's guarantees: for each file of FOLDER the durable steps, then one `bash -c :` child,
// at most WIDTH at a time. Prints the seconds that took. Usage: durable_loop FOLDER WIDTH (FOLDER/done and FOLDER/journal are made)
#include "common.h"
#include <dirent.h>

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: durable_loop FOLDER WIDTH\n");
        return 64;
    }
    long width = atol(argv[2]), running = 0;
    check(chdir(argv[1]), argv[1]);
    check(mkdir("done", 0700), "mkdir done");
    int journal = check(open("journal", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), "journal");
    char *const arguments[] = {"bash", "-c", ":", NULL};
    struct dirent **names;
    int64_t start = now_ns();
    int count = check(scandir(".", &names, NULL, alphasort), "scandir");
    for (int i = 0; i < count; i++) {
        if (names[i]->d_type != DT_REG || strcmp(names[i]->d_name, "journal") == 0) continue;
        char target[4096];
        snprintf(target, sizeof target, "done/%s", names[i]->d_name);
        durable_steps(names[i]->d_name, target, journal);
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
