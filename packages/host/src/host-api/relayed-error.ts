import { MmmError, RpcError, type WireErrorName } from '@mmm/protocol';

type Sentence = readonly [WireErrorName, string];

/**
 * What a plugin is told of why another one did not answer it: the other's own words where it answered, else our
 * sentence. Lines it printed, paths and reasons of trust are the user's to see, not a plugin's.
 */
export function relayedError(error: unknown, target: string): unknown {
  if (!(error instanceof MmmError)) return error;
  if (MmmError.is(error, 'CALL_REJECTED')) return answered(error);
  const [name, sentence] = sentenceOf(error, target);
  return RpcError.of(name, sentence, { plugin: target, code: error.code, ...issuesOf(error) });
}

/** An error of the other plugin passes as it is. */
function answered(error: MmmError<'CALL_REJECTED'>): RpcError {
  if (error.cause instanceof RpcError) return error.cause;
  return new RpcError(error.data.rpcCode, error.message);
}

function sentenceOf(error: MmmError, target: string): Sentence {
  switch (error.code) {
    case 'INPUT_INVALID':
      return ['InvalidParams', `The input does not match what "${target}" takes.`];
    case 'CAPABILITY_NOT_FOUND':
      return ['UnknownCapability', `"${target}" has no such capability.`];
    case 'CALL_TIMEOUT':
      return ['Timeout', `"${target}" did not answer in time.`];
    case 'CALL_CANCELLED':
      return ['RequestCancelled', 'The request was cancelled.'];
    case 'BUSY':
    case 'RATE_LIMITED':
      return ['Busy', `"${target}" is busy. Try again later.`];
    case 'MESSAGE_TOO_LARGE':
      return ['MessageTooLarge', `What was sent to "${target}", or its answer, is too large.`];
    case 'RESULT_INVALID':
      return ['InternalError', `"${target}" gave an answer that is not valid.`];
    case 'PLUGIN_NOT_FOUND':
      return ['PluginUnavailable', `There is no plugin "${target}".`];
    case 'PLUGIN_EXITED':
      return ['PluginUnavailable', `"${target}" ended before it answered.`];
    default:
      return ['PluginUnavailable', `"${target}" cannot be called now.`];
  }
}

function issuesOf(error: MmmError): object {
  return MmmError.is(error, 'INPUT_INVALID') ? { issues: error.data.issues } : {};
}
