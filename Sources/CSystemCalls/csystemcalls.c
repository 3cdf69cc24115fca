#define _GNU_SOURCE
#include "csystemcalls.h"
#include <fcntl.h>
#include <stdio.h>

const unsigned flowspool_rename_noreplace = RENAME_NOREPLACE;

int flowspool_renameat2(int olddirfd, const char *oldpath, int newdirfd, const char *newpath, unsigned flags) {
    return renameat2(olddirfd, oldpath, newdirfd, newpath, flags);
}

int flowspool_setlease(int fd, int type) {
    return fcntl(fd, F_SETLEASE, type);
}
