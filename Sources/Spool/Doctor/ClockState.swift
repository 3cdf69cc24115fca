// Whether the kernel holds its clock to be in step with a better one.

import CSystemCalls

enum ClockState {
    case synchronised, free
    /// The kernel does not say.
    case unknown

    /// ntp_adjtime(3) without a change, which needs no right: `STA_UNSYNC`.
    static var kernel: ClockState {
        switch flowspool_clock_is_synchronised() {
        case 1: .synchronised
        case 0: .free
        default: .unknown
        }
    }
}
