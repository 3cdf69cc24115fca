// The variables by which git tells its hooks and aliases which repository they are about. A runner that was started by one must not hand them on: whatever calls
// git in another folder would work on that repository.

enum LocalGitVariables {
    /// `git rev-parse --local-env-vars`, git 2.39, but for settings and for what makes no repository.
    static let names: Set<String> = [
        "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_DIR", "GIT_GRAFT_FILE", "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_INTERNAL_SUPER_PREFIX", "GIT_NO_REPLACE_OBJECTS", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE", "GIT_WORK_TREE", "GIT_NAMESPACE", "GIT_QUARANTINE_PATH",
    ]

    /// Of whom and when the commit is whose hook it tells; what else is committed is somebody else's.
    static let ofACommit: Set<String> = ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_AUTHOR_DATE"]

    /// What an environment has of these: where it is that of a hook, the author as well.
    static func names(in environment: [String: String]) -> Set<String> {
        ["GIT_INDEX_FILE", "GIT_DIR", "GIT_PREFIX"].contains { environment[$0] != nil } ? names.union(ofACommit) : names
    }
}
