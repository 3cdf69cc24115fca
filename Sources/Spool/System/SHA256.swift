// The digest that contents go by: of a prompt in the ledger and in its stamp, of a block in the cache of analyses, of a configuration in a
// summary.

import CMessageDigest
import Foundation

/// SHA-256 (FIPS 180-4) of what is given piece by piece; by libmd, sha2(3).
struct SHA256 {
    private var context = SHA2_CTX()

    init() { SHA256Init(&context) }

    mutating func update(_ bytes: some ContiguousBytes) {
        bytes.withUnsafeBytes { SHA256Update(&context, $0.baseAddress?.assumingMemoryBound(to: UInt8.self), $0.count) }
    }

    /// The digest of all that was given: 64 lower-case hexadecimal digits.
    consuming func hex() -> String {
        var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        SHA256Final(&digest, &context)
        let digits = Array("0123456789abcdef".utf8)
        var result: [UInt8] = []
        result.reserveCapacity(digest.count * 2)
        for byte in digest {
            result.append(digits[Int(byte >> 4)])
            result.append(digits[Int(byte & 15)])
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// The digest of `bytes` in 64 lower-case hexadecimal digits.
    static func hex(_ bytes: some ContiguousBytes) -> String {
        var hash = SHA256()
        hash.update(bytes)
        return hash.hex()
    }
}
