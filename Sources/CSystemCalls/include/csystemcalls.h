// Linux system calls that Swift's Glibc module does not show.
#pragma once

/// renameat2(2).
int flowspool_renameat2(int olddirfd, const char *oldpath, int newdirfd, const char *newpath, unsigned flags);

/// RENAME_NOREPLACE, renameat2(2).
extern const unsigned flowspool_rename_noreplace;

/// RENAME_EXCHANGE, renameat2(2).
extern const unsigned flowspool_rename_exchange;

/// fcntl(2), F_SETLEASE; `type` is F_RDLCK or F_UNLCK.
int flowspool_setlease(int fd, int type);

/// fcntl(2), F_GETLEASE: F_RDLCK while a read lease stands, F_UNLCK also as soon as somebody who wants to write has come and waits in
/// open(2) for its end.
int flowspool_lease(int fd);

/// fcntl(2), F_SETLEASE with F_WRLCK: whoever opens the file from now on waits in open(2) until the lease is given up, for
/// `/proc/sys/fs/lease-break-time` seconds at most. -1 and errno (EAGAIN) while somebody else has it open.
int flowspool_hold_open(int fd);

/// Whether an open file has extended attributes (flistxattr(2)), an access list among them; 1 also where that cannot be told.
int flowspool_has_attributes(int fd);

/// dup3(2), close-on-exec: `to` is what `from` is, from now on. -1 and errno on failure.
int flowspool_replace_descriptor(int from, int to);

/// fcntl(2), F_OFD_SETLK: a write lock on the whole file, held by the open file description.
int flowspool_ofd_lock(int fd);

/// fcntl(2), F_OFD_GETLK: 1 where somebody holds such a lock, 0 where nobody does; takes nothing itself.
int flowspool_ofd_is_locked(int fd);

/// ntp_adjtime(3), changing nothing: 1 where the kernel holds its clock to be synchronised, 0 where not, -1 where it does not say.
int flowspool_clock_is_synchronised(void);
