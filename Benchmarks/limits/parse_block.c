// Limit of a command's start: reads a prompt, gives its first bash block to shfmt, and reads the syntax tree to its end. Nothing is
// judged, and nothing else is read. Usage: parse_block FILE
#include "common.h"

static char text[1 << 20];

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: parse_block FILE\n");
        return 64;
    }
    int file = check(open(argv[1], O_RDONLY | O_CLOEXEC | O_NOFOLLOW), argv[1]);
    ssize_t length = read(file, text, sizeof text - 1);
    check((int)length, "read");
    static const char fence[] = "```bash\n";
    char *block = strstr(text, fence), *end = block ? strstr(block += sizeof fence - 1, "```") : NULL;
    if (!end) {
        fprintf(stderr, "%s: no bash block\n", argv[1]);
        return 1;
    }
    int input[2], output[2];
    check(pipe2(input, O_CLOEXEC), "pipe2");
    check(pipe2(output, O_CLOEXEC), "pipe2");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input[0], 0);
    posix_spawn_file_actions_adddup2(&actions, output[1], 1);
    char *const arguments[] = {"shfmt", "-ln", "bash", "-tojson", NULL};
    pid_t pid;
    int error = posix_spawnp(&pid, arguments[0], &actions, NULL, arguments, environ);
    if (error != 0) {
        fprintf(stderr, "posix_spawnp shfmt: %s\n", strerror(error));
        return 1;
    }
    close(input[0]);
    close(output[1]);
    check((int)write(input[1], block, (size_t)(end - block)), "write");
    close(input[1]);
    static char tree[1 << 16];
    while (check((int)read(output[0], tree, sizeof tree), "read") > 0) {}
    reap();
    return 0;
}
