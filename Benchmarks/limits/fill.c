// Makes COUNT copies of the file TEMPLATE in FOLDER, named p-0000000.md and on: fast enough for a backlog of a million.
// With `rename` each copy is made in FOLDER/.fill and renamed into place, as a careful dropper does.
// Prints the seconds that took. Usage: fill FOLDER COUNT TEMPLATE [rename] [FIRST]
#include "common.h"

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: fill FOLDER COUNT TEMPLATE [rename] [FIRST]\n");
        return 64;
    }
    long count = atol(argv[2]), first = argc > 5 ? atol(argv[5]) : 0;
    int by_rename = argc > 4 && strcmp(argv[4], "rename") == 0;
    static char content[65536];
    int in = check(open(argv[3], O_RDONLY), argv[3]);
    ssize_t length = read(in, content, sizeof content);
    check((int)length, "read");
    check(chdir(argv[1]), argv[1]);
    if (by_rename && mkdir(".fill", 0700) != 0 && errno != EEXIST) check(-1, "mkdir .fill");
    int64_t start = now_ns();
    for (long i = first; i < first + count; i++) {
        char name[64], aside[128];
        snprintf(name, sizeof name, "p-%07ld.md", i);
        snprintf(aside, sizeof aside, ".fill/%s", name);
        int fd = check(open(by_rename ? aside : name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644), name);
        check((int)write(fd, content, (size_t)length), "write");
        close(fd);
        if (by_rename) check(rename(aside, name), "rename");
    }
    printf("%.6f\n", (double)(now_ns() - start) / 1e9);
    return 0;
}
