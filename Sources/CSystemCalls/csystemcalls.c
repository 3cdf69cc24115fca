#define _GNU_SOURCE
#include "csystemcalls.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/timex.h>
#include <sys/xattr.h>

const unsigned flowspool_rename_noreplace = RENAME_NOREPLACE;
const unsigned flowspool_rename_exchange = RENAME_EXCHANGE;

int flowspool_renameat2(int olddirfd, const char *oldpath, int newdirfd, const char *newpath, unsigned flags) {
    return renameat2(olddirfd, oldpath, newdirfd, newpath, flags);
}

int flowspool_setlease(int fd, int type) {
    return fcntl(fd, F_SETLEASE, type);
}

int flowspool_lease(int fd) { return fcntl(fd, F_GETLEASE); }

int flowspool_hold_open(int fd) {
    // The kernel tells of whoever comes by a signal, SIGIO if no other is named, which would end a process that does not ignore it.
    return fcntl(fd, F_SETSIG, SIGURG) == 0 ? fcntl(fd, F_SETLEASE, F_WRLCK) : -1;
}

int flowspool_replace_descriptor(int from, int to) { return dup3(from, to, O_CLOEXEC); }

int flowspool_ofd_lock(int fd) {
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_SETLK, &whole);
}

int flowspool_ofd_is_locked(int fd) {
    struct flock whole = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_GETLK, &whole) == -1) return -1;
    return whole.l_type != F_UNLCK;
}

int flowspool_clock_is_synchronised(void) {
    struct timex state = {.modes = 0};
    if (ntp_adjtime(&state) == -1) return -1;
    return (state.status & STA_UNSYNC) == 0;
}

int flowspool_has_attributes(int fd) {
    ssize_t bytes = flistxattr(fd, NULL, 0);
    return bytes > 0 || (bytes < 0 && errno != ENOTSUP);
}
