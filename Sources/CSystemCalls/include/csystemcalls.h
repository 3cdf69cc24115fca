// Linux system calls that Swift's Glibc module does not show.
#pragma once

/// renameat2(2).
int flowspool_renameat2(int olddirfd, const char *oldpath, int newdirfd, const char *newpath, unsigned flags);

/// RENAME_NOREPLACE, renameat2(2).
extern const unsigned flowspool_rename_noreplace;

/// fcntl(2), F_SETLEASE; `type` is F_RDLCK or F_UNLCK.
int flowspool_setlease(int fd, int type);
