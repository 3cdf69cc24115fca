// Files of this repository that tests compare with, found from where this source file stands.

import Foundation

/// The absolute path of a file of this repository.
func repositoryFile(_ path: String) -> String {
    // Tests/SpoolTests/Support/<this file>
    (0..<4).reduce(URL(fileURLWithPath: #filePath)) { url, _ in url.deletingLastPathComponent() }.appendingPathComponent(path)
        .path
}
