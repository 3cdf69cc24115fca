// `.prompt-pipeline.lock`: locked with flock(2) while a runner has the spool, for programs that know the contract files and
// not flowspool (`flock -n .prompt-pipeline.lock command`). `.flowspool/lock` decides among flowspool's own and says who holds
// it. The file stays when the lock goes; its content is nobody's.

import Foundation

/// The lock on a spool's contract files, held until the value is released.
public final class ContractLock: Sendable {
    private let descriptor: Int32

    /// Takes the lock or fails at once.
    ///
    /// - Throws: `FlowspoolError.spoolBusy` where another program holds it; `invalidInput` where the name is no regular file.
    public init(root: Directory) throws {
        let name = ContractFile.lock.name
        _ = try root.contractStatus(name)
        let descriptor = try root.calls.run(.openat, root.pathOf(name)) {
            openat(root.descriptor, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0o644)
        }
        do {
            try root.calls.run(.flock, root.pathOf(name)) { flock(descriptor, LOCK_EX | LOCK_NB) }
        } catch {
            close(descriptor)
            guard error.errno == EWOULDBLOCK else { throw error.forUser }
            throw FlowspoolError(
                .spoolBusy, "\(printable(root.path)) is being run by another program: it holds \(name)",
                hint: "`fuser \(ShellText.quote(printable(root.pathOf(name))))` names its process")
        }
        self.descriptor = descriptor
    }

    /// Gives up the lock.
    deinit { close(descriptor) }
}
