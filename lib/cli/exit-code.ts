export const EXIT_OK = 0
/** The config is missing, does not load, or is not valid; nobody runs it, or who does refused what was asked. */
export const EXIT_CONFIG = 1
/** An unknown command or flag, or a value that makes no sense. */
export const EXIT_USAGE = 2
/** An address is taken or not ours. */
export const EXIT_BIND = 3
