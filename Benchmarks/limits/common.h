// Shared by the limit programs: the clock, checked calls, and the start of one `bash -c :` child.
// Each limit program measures what the machine allows when nothing but the named steps is done.
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

// CLOCK_MONOTONIC in nanoseconds: the same for every process on one machine, so two processes' readings can be subtracted.
static inline int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline int check(int result, const char *what) {
    if (result < 0) {
        fprintf(stderr, "%s: %s\n", what, strerror(errno));
        exit(1);
    }
    return result;
}

static inline pid_t spawn(char *const arguments[]) {
    pid_t pid;
    int error = posix_spawnp(&pid, arguments[0], NULL, NULL, arguments, environ);
    if (error != 0) {
        fprintf(stderr, "posix_spawnp %s: %s\n", arguments[0], strerror(error));
        exit(1);
    }
    return pid;
}

// Waits for any child; its pid, or exits when it failed.
static inline pid_t reap(void) {
    int status;
    pid_t pid = check(wait(&status), "wait");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "child %d ended with status %d\n", pid, status);
        exit(1);
    }
    return pid;
}

// The durable steps that no job queue with flowspool's guarantees can leave out, each done once.
// fsync of the prompt, a 200-byte record appended and fdatasynced, the file renamed, one file rewritten (the stamp).
static inline void durable_steps(const char *prompt, const char *target, int journal) {
    static char record[200];
    memset(record, 'r', sizeof record - 1);
    record[sizeof record - 1] = '\n';

    int fd = check(open(prompt, O_RDWR | O_CLOEXEC | O_NOFOLLOW), prompt);
    static char content[65536];
    ssize_t length = read(fd, content, sizeof content);
    check((int)length, "read");
    check(fsync(fd), "fsync prompt");
    close(fd);

    check((int)write(journal, record, sizeof record), "append");
    check(fdatasync(journal), "fdatasync");
    check(rename(prompt, target), "rename");

    // The stamp: written aside, then put in place. Its own fsync is left out, since the record above already carries the facts.
    char aside[8192];
    snprintf(aside, sizeof aside, "%s.new", target);
    int out = check(open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), aside);
    check((int)write(out, content, (size_t)length), "write stamp");
    close(out);
    check(rename(aside, target), "rename stamp");
}
