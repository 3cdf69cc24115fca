// The digest against the values that its standard gives (FIPS 180-4; examples of NIST's Cryptographic Standards and Guidelines).

import Foundation
import Testing

@testable import Spool

@Suite struct SHA256Tests {
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (String(repeating: "a", count: 1_000_000), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ])
    func hex_isThatOfTheStandard(text: String, digest: String) {
        #expect(SHA256.hex(Data(text.utf8)) == digest)
        // Piece by piece, none of which is a whole block.
        var hash = SHA256()
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: 1009) { hash.update(Array(bytes[start...].prefix(1009))) }
        #expect(hash.hex() == digest)
    }
}
