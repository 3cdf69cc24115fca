// LD_PRELOAD library for the torture scripts: sees every call of one process that changes a file below TORTURE_ROOT, in one order
// over all threads (strace counts each thread for itself). It can kill the process before the n-th call, make the n-th call fail, or
// write all of them down. Children do not inherit it. Calls inside libc (stdio) are not seen; flowspool and SQLite use none there.
//
//   TORTURE_ROOT=DIR            what counts
//   TORTURE_KILL=N              SIGKILL before call N (1, 2, …)
//   TORTURE_FAIL=N:ERRNO        call N does not happen and gives errno
//   TORTURE_LOG=FILE            write the calls down; with it TORTURE_TRACE=FILE, whose size is noted at each call
//   TORTURE_COUNT=FILE          write the number of calls there at the end

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static size_t root_length;
static char trace[PATH_MAX];
static char count_path[PATH_MAX];
static long count, kill_at, fail_at;
static int fail_errno, log_fd = -1;
static pid_t owner;

static void take(const char *name, char *value) {
  const char *text = getenv(name);
  if (text) snprintf(value, PATH_MAX, "%s", text);
}

__attribute__((constructor)) static void begin(void) {
  char text[PATH_MAX] = "";
  take("TORTURE_ROOT", root);
  take("TORTURE_TRACE", trace);
  take("TORTURE_COUNT", count_path);
  root_length = strlen(root);
  take("TORTURE_KILL", text);
  kill_at = atol(text);
  text[0] = 0;
  take("TORTURE_FAIL", text);
  if (text[0]) {
    char *colon = strchr(text, ':');
    fail_at = atol(text);
    fail_errno = colon ? atoi(colon + 1) : EIO;
  }
  text[0] = 0;
  take("TORTURE_LOG", text);
  if (text[0]) {
    int fd = (int)syscall(SYS_openat, AT_FDCWD, text, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    // Out of the way of descriptor numbers that a program counts on.
    log_fd = fcntl(fd, F_DUPFD_CLOEXEC, 700);
    syscall(SYS_close, fd);
  }
  owner = getpid();
  unsetenv("LD_PRELOAD");
}

__attribute__((destructor)) static void end(void) {
  if (!count_path[0] || getpid() != owner) return;
  char text[32];
  int length = snprintf(text, sizeof text, "%ld\n", count);
  int fd = (int)syscall(SYS_openat, AT_FDCWD, count_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (fd >= 0) (void)!syscall(SYS_write, fd, text, length);
}

// The path of a descriptor, or of a name below one; empty where it does not count.
static void where(int fd, const char *name, char *path) {
  char link[64], folder[PATH_MAX];
  path[0] = 0;
  if (name && name[0] == '/') {
    snprintf(path, PATH_MAX, "%s", name);
  } else {
    ssize_t length;
    if (fd == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
    else snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, folder, sizeof folder - 1);
    if (length < 0) return;
    folder[length] = 0;
    if (name) (void)!snprintf(path, PATH_MAX, "%.2000s/%.2000s", folder, name);
    else snprintf(path, PATH_MAX, "%s", folder);
  }
  if (!root_length || strncmp(path, root, root_length) != 0) path[0] = 0;
}

// Before a call: 0 to go on, else the errno that it has. The lock is held on return.
static int before(void) {
  pthread_mutex_lock(&lock);
  count++;
  if (count == kill_at) kill(owner, SIGKILL), pause();
  return count == fail_at ? fail_errno : 0;
}

static void note(const char *call, const char *a, const char *b, long offset, long flags, const void *data, long length) {
  if (log_fd < 0) return;
  struct stat info = {0};
  if (trace[0]) stat(trace, &info);
  char line[3 * PATH_MAX];
  int size = snprintf(line, sizeof line, "%s\t%s\t%s\t%ld\t%ld\t%ld\t%ld\n", call, a, b, offset, flags, (long)info.st_size, length);
  (void)!syscall(SYS_write, log_fd, line, size);
  if (length > 0) (void)!syscall(SYS_write, log_fd, data, length);
}

#define AROUND(counts, logged, call)                     \
  if (!(counts) || getpid() != owner) return call;       \
  int code = before();                                   \
  __typeof__(call) result = -1;                          \
  if (code) errno = code;                                \
  else result = call;                                    \
  int saved = errno;                                     \
  if (result >= 0) logged;                               \
  pthread_mutex_unlock(&lock);                           \
  errno = saved;                                         \
  return result

static ssize_t put(int fd, const void *data, size_t size) {
  char path[PATH_MAX];
  where(fd, NULL, path);
  long at = (fcntl(fd, F_GETFL) & O_APPEND) ? -1 : (long)lseek(fd, 0, SEEK_CUR);
  AROUND(path[0], note("write", path, "", at, 0, data, result), (ssize_t)syscall(SYS_write, fd, data, size));
}
ssize_t write(int fd, const void *data, size_t size) { return put(fd, data, size); }

static ssize_t put_at(int fd, const void *data, size_t size, off_t offset) {
  char path[PATH_MAX];
  where(fd, NULL, path);
  AROUND(path[0], note("write", path, "", offset, 0, data, result), (ssize_t)syscall(SYS_pwrite64, fd, data, size, offset));
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) { return put_at(fd, data, size, offset); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) { return put_at(fd, data, size, offset); }

int fsync(int fd) {
  char path[PATH_MAX];
  where(fd, NULL, path);
  AROUND(path[0], note("fsync", path, "", 0, 0, NULL, 0), (int)syscall(SYS_fsync, fd));
}
int fdatasync(int fd) {
  char path[PATH_MAX];
  where(fd, NULL, path);
  AROUND(path[0], note("fdatasync", path, "", 0, 0, NULL, 0), (int)syscall(SYS_fdatasync, fd));
}
static int cut(int fd, off_t length) {
  char path[PATH_MAX];
  where(fd, NULL, path);
  AROUND(path[0], note("truncate", path, "", length, 0, NULL, 0), (int)syscall(SYS_ftruncate, fd, length));
}
int ftruncate(int fd, off_t length) { return cut(fd, length); }
int ftruncate64(int fd, off64_t length) { return cut(fd, length); }

int renameat2(int from, const char *name, int to, const char *target, unsigned flags) {
  char a[PATH_MAX], b[PATH_MAX];
  where(from, name, a);
  where(to, target, b);
  AROUND(a[0] || b[0], note("rename", a, b, 0, flags, NULL, 0), (int)syscall(SYS_renameat2, from, name, to, target, flags));
}
int rename(const char *name, const char *target) { return renameat2(AT_FDCWD, name, AT_FDCWD, target, 0); }
int unlinkat(int fd, const char *name, int flags) {
  char path[PATH_MAX];
  where(fd, name, path);
  AROUND(path[0], note("unlink", path, "", 0, flags, NULL, 0), (int)syscall(SYS_unlinkat, fd, name, flags));
}
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int mkdirat(int fd, const char *name, mode_t mode) {
  char path[PATH_MAX];
  where(fd, name, path);
  AROUND(path[0], note("mkdir", path, "", 0, mode, NULL, 0), (int)syscall(SYS_mkdirat, fd, name, mode));
}
int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }
int fchmod(int fd, mode_t mode) {
  char path[PATH_MAX];
  where(fd, NULL, path);
  AROUND(path[0], note("chmod", path, "", 0, mode, NULL, 0), (int)syscall(SYS_fchmod, fd, mode));
}

static int make(int folder, const char *name, int flags, mode_t mode) {
  char path[PATH_MAX] = "";
  struct stat info;
  if (flags & (O_CREAT | O_TRUNC)) where(folder, name, path);
  int is_new = path[0] && fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0;
  AROUND(path[0] && (is_new || (flags & O_TRUNC)), note(is_new ? "create" : "truncate", path, "", 0, mode, NULL, 0),
         (int)syscall(SYS_openat, folder, name, flags, mode));
}
#define MODE(last)                                       \
  mode_t mode = 0;                                       \
  if (flags & (O_CREAT | O_TMPFILE)) {                   \
    va_list rest;                                        \
    va_start(rest, last);                                \
    mode = va_arg(rest, mode_t);                         \
    va_end(rest);                                        \
  }
int open(const char *name, int flags, ...) { MODE(flags) return make(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE(flags) return make(AT_FDCWD, name, flags, mode); }
int openat(int fd, const char *name, int flags, ...) { MODE(flags) return make(fd, name, flags, mode); }
int openat64(int fd, const char *name, int flags, ...) { MODE(flags) return make(fd, name, flags, mode); }
