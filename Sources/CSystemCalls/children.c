#define _GNU_SOURCE
#include "children.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif

// What parent and child share while the parent is suspended (CLONE_VM | CLONE_VFORK): the child writes, the parent reads.
struct start {
    const struct flowspool_child *child;
    pid_t parent;
    // Those of the process, where the calling thread keeps to one of them.
    const cpu_set_t *processors;
    int error;
    enum flowspool_step step;
};

static int fail(struct start *start, enum flowspool_step step) {
    start->error = errno != 0 ? errno : EIO;
    start->step = step;
    _exit(127);
}

// Moves a descriptor out of the way of 0, 1 and 2, so that the order of the dup2 calls does not matter.
static int above_standard(int descriptor) {
    return descriptor > 2 ? descriptor : fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
}

// Runs in the child, on the parent's memory: async-signal-safe calls only, and no write but to `start` and locals.
static int child_main(void *argument) {
    struct start *start = argument;
    const struct flowspool_child *child = start->child;

    // Every signal is still blocked here. A handler must not run on the shared memory, so actions go before the mask.
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) != 0 || action.sa_handler == SIG_DFL) continue;
        memset(&action, 0, sizeof action);
        action.sa_handler = SIG_DFL;
        sigaction(number, &action, NULL);
    }
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // The parent may have died before the line above took effect.
    if (getppid() != start->parent) _exit(127);

    if (start->processors != NULL) sched_setaffinity(0, sizeof *start->processors, start->processors);

    if (chdir(child->directory) != 0) return fail(start, flowspool_step_directory);
    int input = above_standard(child->input), output = above_standard(child->output), error = above_standard(child->error);
    if (input < 0 || output < 0 || error < 0 || dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(error, 2) < 0)
        return fail(start, flowspool_step_descriptors);
    // A library may have opened a descriptor without close-on-exec. Kernels before 5.11 do not know the flag; there the
    // descriptors that flowspool itself opens are close-on-exec all the same.
    syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);

    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(child->path, child->arguments, child->environment);
    return fail(start, flowspool_step_exec);
}

int flowspool_start(const struct flowspool_child *child, pid_t *pid, int *pidfd, enum flowspool_step *step) {
    // The child runs on a part of this frame: the parent does not move before the child has left it.
    _Alignas(64) char stack[32 * 1024];
    struct start start = {.child = child, .parent = getpid(), .processors = NULL, .error = 0, .step = flowspool_step_clone};
    cpu_set_t first, own;
    // Of the process's first thread, which is never sent anywhere; a system with more processors than the set has leaves them as they are.
    if (sched_getaffinity(start.parent, sizeof first, &first) == 0 && sched_getaffinity(0, sizeof own, &own) == 0
        && !CPU_EQUAL(&first, &own))
        start.processors = &first;

    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int cancelState;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelState);
    int descriptor = -1;
    pid_t started = clone(child_main, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &start, &descriptor);
    int code = started < 0 ? errno : start.error;
    if (started > 0 && code != 0) {
        while (waitpid(started, NULL, 0) < 0 && errno == EINTR) {}
        close(descriptor);
    }
    pthread_setcancelstate(cancelState, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);

    *step = start.step;
    if (code != 0) return code;
    *pid = started;
    *pidfd = descriptor;
    return 0;
}

int flowspool_adopt_orphans(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 ? 0 : errno; }

int flowspool_limit_data(pid_t pid, long long bytes) {
    struct rlimit limit = {.rlim_cur = (rlim_t)bytes, .rlim_max = (rlim_t)bytes};
    return prlimit(pid, RLIMIT_DATA, &limit, NULL);
}

int flowspool_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int flowspool_pidfd_send_signal(int pidfd, int signal) { return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0); }

int flowspool_reap(pid_t pid, int flags, int *code, int *signalled) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    int result;
    do {
        result = waitid(P_PID, (id_t)pid, &info, WEXITED | flags);
    } while (result != 0 && errno == EINTR);
    if (result != 0) return -1;
    if (info.si_pid == 0) return 0;
    *code = info.si_status;
    *signalled = info.si_code != CLD_EXITED;
    return 1;
}

int flowspool_has_children(void) {
    siginfo_t info;
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

int flowspool_set_pipe_size(int descriptor, int bytes) { return fcntl(descriptor, F_SETPIPE_SZ, bytes); }

int flowspool_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

int flowspool_output_pipe(int ends[2]) {
    if (pipe2(ends, O_CLOEXEC) != 0) return -1;
    // Of the reading end only: the flag belongs to the open end, and the child would have it as well on the other.
    return fcntl(ends[0], F_SETFL, O_NONBLOCK);
}
