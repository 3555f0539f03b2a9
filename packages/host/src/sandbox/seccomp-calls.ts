/** The system calls that the filter refuses, by their numbers on both architectures. */

/** What a filtered call returns. `ENOSYS` where programs probe for a new call and fall back to an older one. */
export type Answer = 'EPERM' | 'ENOSYS';
export const errno = { EPERM: 1, ENOSYS: 38, EAFNOSUPPORT: 97 } as const;

/** Name, number on x64, number on arm64 (null: the call does not exist there), what it returns. */
export type CallRow = readonly [name: string, x64: number, arm64: number | null, answer: Answer];

export const refused: readonly CallRow[] = [
  // Other processes: their memory, descriptors and identity.
  ['ptrace', 101, 117, 'EPERM'],
  ['process_vm_readv', 310, 270, 'EPERM'],
  ['process_vm_writev', 311, 271, 'EPERM'],
  ['pidfd_getfd', 438, 438, 'EPERM'],
  ['kcmp', 312, 272, 'EPERM'],
  // Keyrings are not namespaced: without this a plugin reaches the session keyring of the host.
  ['add_key', 248, 217, 'EPERM'],
  ['request_key', 249, 218, 'EPERM'],
  ['keyctl', 250, 219, 'EPERM'],
  // Namespaces and mounts: with a user namespace of its own a plugin would get all capabilities inside it.
  ['unshare', 272, 97, 'EPERM'],
  ['setns', 308, 268, 'EPERM'],
  ['mount', 165, 40, 'EPERM'],
  ['umount2', 166, 39, 'EPERM'],
  ['pivot_root', 155, 41, 'EPERM'],
  ['chroot', 161, 51, 'EPERM'],
  // clone3 keeps its flags behind a pointer, which a filter cannot read; libc falls back to clone.
  ['clone3', 435, 435, 'ENOSYS'],
  ['open_tree', 428, 428, 'ENOSYS'],
  ['open_tree_attr', 467, 467, 'ENOSYS'],
  ['move_mount', 429, 429, 'ENOSYS'],
  ['fsopen', 430, 430, 'ENOSYS'],
  ['fsconfig', 431, 431, 'ENOSYS'],
  ['fsmount', 432, 432, 'ENOSYS'],
  ['fspick', 433, 433, 'ENOSYS'],
  ['mount_setattr', 442, 442, 'ENOSYS'],
  // Handles open files by inode, past every path check.
  ['open_by_handle_at', 304, 265, 'EPERM'],
  ['name_to_handle_at', 303, 264, 'EPERM'],
  // Large kernel surfaces with a history of escapes.
  ['bpf', 321, 280, 'EPERM'],
  ['userfaultfd', 323, 282, 'EPERM'],
  ['perf_event_open', 298, 241, 'EPERM'],
  ['io_uring_setup', 425, 425, 'ENOSYS'],
  ['io_uring_enter', 426, 426, 'ENOSYS'],
  ['io_uring_register', 427, 427, 'ENOSYS'],
  // The machine itself.
  ['kexec_load', 246, 104, 'EPERM'],
  ['kexec_file_load', 320, 294, 'EPERM'],
  ['init_module', 175, 105, 'EPERM'],
  ['finit_module', 313, 273, 'EPERM'],
  ['delete_module', 176, 106, 'EPERM'],
  ['reboot', 169, 142, 'EPERM'],
  ['swapon', 167, 224, 'EPERM'],
  ['swapoff', 168, 225, 'EPERM'],
  ['acct', 163, 89, 'EPERM'],
  ['quotactl', 179, 60, 'EPERM'],
  ['quotactl_fd', 443, 443, 'EPERM'],
  ['syslog', 103, 116, 'EPERM'],
  ['uselib', 134, null, 'EPERM'],
  ['iopl', 172, null, 'EPERM'],
  ['ioperm', 173, null, 'EPERM'],
  ['modify_ldt', 154, null, 'EPERM'],
  ['personality', 135, 92, 'EPERM'], // turns address randomisation off
  // Memory placement: lets one process stall or observe the others on its node.
  ['mbind', 237, 235, 'EPERM'],
  ['get_mempolicy', 239, 236, 'EPERM'],
  ['set_mempolicy', 238, 237, 'EPERM'],
  ['migrate_pages', 256, 238, 'EPERM'],
  ['move_pages', 279, 239, 'EPERM'],
];

/**
 * What namespaces keep apart and Landlock does not, for plugins without them. Names of files, their sizes and times can
 * still be seen.
 */
export const refusedAmongOthers: readonly CallRow[] = [
  // Changes to a file by its path: Landlock covers what is in files and folders, not modes, owners and attributes. What
  // is open can still be changed, and only what was granted can be opened.
  ['chmod', 90, null, 'EPERM'],
  ['fchmodat', 268, 53, 'EPERM'],
  ['fchmodat2', 452, 452, 'EPERM'],
  ['chown', 92, null, 'EPERM'],
  ['lchown', 94, null, 'EPERM'],
  ['fchownat', 260, 54, 'EPERM'],
  ['utime', 132, null, 'EPERM'],
  ['utimes', 235, null, 'EPERM'],
  ['futimesat', 261, null, 'EPERM'],
  ['setxattr', 188, 5, 'EPERM'],
  ['lsetxattr', 189, 6, 'EPERM'],
  ['removexattr', 197, 14, 'EPERM'],
  ['lremovexattr', 198, 15, 'EPERM'],
  ['setxattrat', 463, 463, 'ENOSYS'],
  ['removexattrat', 466, 466, 'ENOSYS'],
  ['file_setattr', 469, 469, 'ENOSYS'],
  // Watching tells the names of files in folders that cannot be listed.
  ['inotify_add_watch', 254, 27, 'EPERM'],
  ['fanotify_init', 300, 262, 'EPERM'],
  // Memory, semaphores and queues that all processes of a user share.
  ['shmget', 29, 194, 'EPERM'],
  ['shmctl', 31, 195, 'EPERM'],
  ['shmat', 30, 196, 'EPERM'],
  ['semget', 64, 190, 'EPERM'],
  ['semctl', 66, 191, 'EPERM'],
  ['semop', 65, 193, 'EPERM'],
  ['semtimedop', 220, 192, 'EPERM'],
  ['msgget', 68, 186, 'EPERM'],
  ['msgctl', 71, 187, 'EPERM'],
  ['msgsnd', 69, 189, 'EPERM'],
  ['msgrcv', 70, 188, 'EPERM'],
  ['mq_open', 240, 180, 'EPERM'],
  ['mq_unlink', 241, 181, 'EPERM'],
];

/** Name, numbers, and which argument must be 0: these take the number of a process, and 0 is the caller's own. */
export type OwnRow = readonly [name: string, x64: number, arm64: number, argument: 0 | 1];

/** With these one process of a user ends or slows down any other, the host among them. */
export const onlyOnItself: readonly OwnRow[] = [
  ['prlimit64', 302, 261, 0],
  ['sched_setparam', 142, 118, 0],
  ['sched_setscheduler', 144, 119, 0],
  ['sched_setaffinity', 203, 122, 0],
  ['sched_setattr', 314, 274, 0],
  ['setpriority', 141, 140, 1],
  ['ioprio_set', 251, 30, 1],
];
