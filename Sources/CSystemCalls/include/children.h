// Calls about child processes that Swift cannot make: variadic ones (prctl), ones without a libc wrapper, and the start of
// a child, which must not return into Swift between clone(2) and execve(2).
#ifndef FLOWSPOOL_CHILDREN_H
#define FLOWSPOOL_CHILDREN_H

#include <sys/types.h>

/// A child to start. All paths are absolute; descriptors are those of the caller and may be 0, 1 or 2.
struct flowspool_child {
    const char *path;
    char *const *arguments;
    char *const *environment;
    const char *directory;
    int input, output, error;
};

/// Which step of a start failed.
enum flowspool_step { flowspool_step_clone, flowspool_step_directory, flowspool_step_descriptors, flowspool_step_exec };

/// Starts `child` as the leader of a process group of its own, with default signal actions, an empty signal mask, no
/// descriptor above 2, the processors of this process's first thread, and SIGKILL as the signal it gets when the calling
/// *thread* ends (PR_SET_PDEATHSIG, prctl(2)).
///
/// Returns 0 once the new program runs; else errno, `step` says where, and no child is left. `pidfd` is close-on-exec.
int flowspool_start(const struct flowspool_child *child, pid_t *pid, int *pidfd, enum flowspool_step *step);

/// Makes this process the one that orphaned descendants fall to (PR_SET_CHILD_SUBREAPER). 0, or errno.
int flowspool_adopt_orphans(void);

/// pidfd_open(2); -1 and errno on failure. The descriptor is close-on-exec.
int flowspool_pidfd_open(pid_t pid);

/// pidfd_send_signal(2); -1 and errno on failure.
int flowspool_pidfd_send_signal(int pidfd, int signal);

/// Waits (waitid(2), WEXITED) for the child `pid` without blocking if `flags` has WNOHANG. On return `code` is the exit
/// status or the signal and `signalled` tells which. Returns 1 when a child was reaped, 0 when none has ended, -1 and errno.
int flowspool_reap(pid_t pid, int flags, int *code, int *signalled);

/// Whether this process has any child at all, running or ended; nothing is reaped.
int flowspool_has_children(void);

/// eventfd(2), close-on-exec and not blocking; pipe2(2), close-on-exec, `ends[0]` not blocking. -1 and errno on failure.
int flowspool_eventfd(void);
int flowspool_output_pipe(int ends[2]);

/// Bounds the memory that the process `pid` may have for its data (RLIMIT_DATA, prlimit(2)). -1 and errno on failure.
int flowspool_limit_data(pid_t pid, long long bytes);

/// fcntl(F_SETPIPE_SZ); -1 and errno on failure.
int flowspool_set_pipe_size(int descriptor, int bytes);

#endif
