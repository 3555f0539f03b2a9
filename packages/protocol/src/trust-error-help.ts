import type { ErrorHelp } from './error-help.ts';
import { type ErrorCode, exitCodes } from './errors.ts';

/** The errors of bundles, signatures, keys and statements about them: E02xx. */
export const trustErrorHelp = {
  BUNDLE_INVALID: {
    number: 'E0201',
    exitCode: exitCodes.trust,
    title: 'The plugin folder or archive is not a valid bundle',
    why:
      'It breaks a rule of bundles: a link, a device, a bad path, a size over the limit, an index that does not ' +
      'match the manifest, or an archive that is cut off, damaged, or not exactly what `mmm plugin package` writes.',
    fix:
      'If the plugin is yours, remove the named file, then sign or package it again. If not, get it again from its ' +
      'publisher.',
  },
  BUNDLE_CHANGED: {
    number: 'E0202',
    exitCode: exitCodes.trust,
    title: 'A file of the plugin is not what was signed',
    why: 'A file was changed, added or removed after signing, or the installed copy in the store was touched.',
    fix:
      'Do not run it. Get the plugin again from its publisher and install it anew; if it is your own, sign it ' +
      'again.',
  },
  SIGNATURE_MISSING: {
    number: 'E0203',
    exitCode: exitCodes.trust,
    title: 'The plugin is not signed',
    why: 'There is no .mmm/signatures.json in its folder.',
    fix:
      'Sign your own plugin with `mmm plugin sign DIR`. To run one that is unsigned anyway, name it: `mmm plugin ' +
      'install DIR --allow-unsigned NAME`; this is recorded.',
  },
  SIGNATURE_UNTRUSTED: {
    number: 'E0204',
    exitCode: exitCodes.trust,
    title: 'The plugin is signed, but by nobody you trust',
    why: 'None of the keys that signed it is in your trust store.',
    fix:
      'Check the fingerprint with the publisher and run `mmm key trust <public key> --name <name> --scope ' +
      '<plugin>`.',
  },
  SIGNATURE_REJECTED: {
    number: 'E0205',
    exitCode: exitCodes.trust,
    title: 'A signature does not verify',
    why: 'The signature is malformed, made with a weak key, or was made over other bytes.',
    fix: 'Do not run it. Get the plugin again from its publisher.',
  },
  KEY_INVALID: {
    number: 'E0206',
    exitCode: exitCodes.trust,
    title: 'A key cannot be used',
    why: 'It has the wrong length, is not a canonical ed25519 key, or is one of the weak ones.',
    fix: 'A public key is the base64 line that `mmm key new` and `mmm key list` print; ask its owner for that line.',
  },
  KEY_NOT_FOUND: {
    number: 'E0207',
    exitCode: exitCodes.notFound,
    title: 'No key of this name',
    why: 'Neither your own keys nor the trust store has it.',
    fix: 'Run `mmm key list`; make one with `mmm key new --name NAME`.',
  },
  KEY_EXISTS: {
    number: 'E0208',
    exitCode: exitCodes.failed,
    title: 'The key, or one of its name, exists already',
    why: 'Keys are never overwritten, and trust in one is not changed by accident: what it signed would stop running.',
    fix: 'Choose another name with `--name`; to change a key that is trusted already, add `--replace`.',
  },
  KEY_REVOKED: {
    number: 'E0209',
    exitCode: exitCodes.trust,
    title: 'The key was revoked',
    why: 'The trust store marks this key as revoked: nothing it signed runs, and nothing is signed with it.',
    fix: "Install a version signed with the publisher's new key; for your own plugin, sign it again with another key.",
  },
  VERSION_DOWNGRADE: {
    number: 'E0210',
    exitCode: exitCodes.trust,
    title: 'A newer version is installed',
    why: 'The folder holds an older version than the one installed; it may have mistakes that were mended since.',
    fix: 'Install the newer version, or, if you want the older one, add `--allow-downgrade`.',
  },
  VERSION_REUSED: {
    number: 'E0211',
    exitCode: exitCodes.trust,
    title: 'This version was installed already, with other content',
    why:
      'A publisher gives each content a version of its own, so two contents of one version mean a mistake or an ' +
      'exchange. What was once installed under a version is remembered, also after a removal.',
    fix:
      'Give the new content a new version; ask the publisher for one. Only what your own keys sign may take the ' +
      'place of other content, when you name it: `--allow-version-reuse <plugin>`; this is recorded.',
  },
  BUNDLE_REVOKED: {
    number: 'E0212',
    exitCode: exitCodes.trust,
    title: 'These very files were revoked',
    why: 'A revocation list that you trust names the sha256 of this bundle, whoever signed it.',
    fix: 'Install another version. `mmm key revocations list` shows who revoked it and why.',
  },
  KEY_EXPIRED: {
    number: 'E0213',
    exitCode: exitCodes.trust,
    title: 'The key that signed the plugin has expired',
    why: 'You, or who gave you the key, trusted it up to a date that has passed.',
    fix: 'Ask the publisher whether the key is still theirs, then run `mmm key trust` again with a later `--expires`.',
  },
  KEY_OUT_OF_SCOPE: {
    number: 'E0214',
    exitCode: exitCodes.trust,
    title: 'The key is not trusted for this plugin',
    why: 'It is in your trust store, for other plugins than this one.',
    fix:
      'If its owner may publish this plugin too, add it: `mmm key trust <public key> --name <name> --scope ' +
      '<plugin>`.',
  },
  KEY_ROLE_WRONG: {
    number: 'E0215',
    exitCode: exitCodes.trust,
    title: 'The key is not trusted for this kind of signature',
    why:
      'A key of the role publisher signs plugins, one of the role root revocation lists; a development key vouches ' +
      'for nothing outside of development.',
    fix: 'Have it signed with a key of the right role; `mmm key list` shows the roles.',
  },
  KEY_RETIRED: {
    number: 'E0216',
    exitCode: exitCodes.trust,
    title: 'The key was rotated and signs nothing new',
    why: 'Its owner handed over to another key. What is installed with it runs on; nothing new is taken from it.',
    fix: "Get the plugin signed with the publisher's new key; sign your own with the key that took over.",
  },
  PUBLISHER_CHANGED: {
    number: 'E0217',
    exitCode: exitCodes.trust,
    title: 'Another publisher signed it than the installed one',
    why: 'The first installation binds a name to the key that signed it; no rotation leads from that key to this one.',
    fix:
      'Ask the publisher for a rotation statement and import it (`mmm key rotations import FILE`). If you want the ' +
      'other publisher, name the plugin: `--allow-publisher-change <plugin>`; it starts without data and grants.',
  },
  STATEMENT_INVALID: {
    number: 'E0218',
    exitCode: exitCodes.trust,
    title: 'A rotation or a revocation list cannot be read',
    why: 'The file is no signed statement of this kind, or its content does not hold together.',
    fix: 'Get the file again from whoever issued it.',
  },
  STATEMENT_UNTRUSTED: {
    number: 'E0219',
    exitCode: exitCodes.trust,
    title: 'A rotation or a revocation list is not signed by whom it must be',
    why:
      'A rotation is signed by the old key, which you trust, and by the new one; a revocation list by a key that you ' +
      'trust as root.',
    fix:
      'Check with its issuer. A list is accepted after `mmm key trust <public key> --role root --name <name> --scope ' +
      '<plugin>`.',
  },
  REVOCATIONS_OUTDATED: {
    number: 'E0220',
    exitCode: exitCodes.trust,
    title: 'A revocation list older than the known one',
    why: 'Lists only move forward: an older one, or another one of the same version, could hide a revocation.',
    fix: 'Get the newest list from its issuer; what is known already stays in force.',
  },
  REVOCATIONS_EXPIRED: {
    number: 'E0221',
    exitCode: exitCodes.trust,
    title: 'The revocation list has expired',
    why: 'A list says up to when it holds; after that nobody can tell what was revoked since.',
    fix:
      'Get the newest list and run `mmm key revocations import FILE`. Plugins are refused for it only with ' +
      '`expired_revocations = "refuse"` below `[trust]` in config.toml.',
  },
} as const satisfies { readonly [C in ErrorCode]?: ErrorHelp };
