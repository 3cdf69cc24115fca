// `verify.schema`: whether an answer is JSON that fits. An answer that is one fenced block is taken without the fence, which is
// how models often write JSON.

import Foundation

enum SchemaGate {
    /// Why the answer does not hold; nil: it does, or nothing is asked.
    static func problem(_ answer: String, _ specification: GateSpecification, repoRoot: String) -> String? {
        let text: String
        if let schema = specification.schema {
            text = schema
        } else if let path = specification.schemaPath {
            guard let bytes = ProcessTable.read(repoRoot + "/" + path, bytesMax: 1 << 20) else {
                return "verify.schema: \(printable(path)) cannot be read"
            }
            text = String(decoding: bytes, as: UTF8.self)
        } else {
            return nil
        }
        guard let schema = try? JSON.parse(text) else { return "verify.schema is not JSON" }
        let judge = JSONSchema(schema)
        if let problem = judge.problem { return "verify.schema: \(problem)" }
        do throws(JSONSyntaxError) {
            let misfits = judge.misfits(try JSON.parse(unfenced(answer)))
            return misfits.isEmpty ? nil : "the answer does not fit verify.schema: " + misfits.joined(separator: ", ")
        } catch {
            return "the answer is not JSON (\(error.description))"
        }
    }

    static func unfenced(_ answer: String) -> String {
        let text = answer.trimming(while: \.isWhitespace)
        guard text.hasPrefix("```"), text.hasSuffix("```"), text.count > 6, let start = text.firstIndex(where: \.isNewline) else {
            return String(text)
        }
        return String(text[text.index(after: start)...].dropLast(3))
    }
}
