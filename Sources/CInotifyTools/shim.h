// libinotifytools (Debian: libinotifytools0-dev) ships no .pc file, so the module map links it by name. Beside it: the
// calls and numbers that the watching thread needs and that Swift's Glibc module does not show.
#pragma once
#include <inotifytools/inotify.h>
#include <inotifytools/inotifytools.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

// memfd_create(2) with MFD_CLOEXEC: a descriptor, or -1 with errno set.
static inline int flowspool_memfd_create(const char *name) {
    return (int)syscall(SYS_memfd_create, name, MFD_CLOEXEC);
}

// Names the calling thread; the kernel keeps 15 bytes (prctl(2), PR_SET_NAME).
static inline void flowspool_name_thread(const char *name) {
    prctl(PR_SET_NAME, name, 0, 0, 0);
}
