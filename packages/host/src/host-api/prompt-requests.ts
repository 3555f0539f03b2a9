import { hostMethods, type Params, type PermissionKind, parsePermissionKey, RpcError } from '@mmm/protocol';
import { type HandlerContext, onRequest, type RequestEntry } from '@mmm/rpc';
import type { OpenCall } from '../clients/open-calls.ts';
import type { Prompter, UserQuestion } from '../clients/prompter.ts';
import { hostLimits } from '../limits.ts';
import type { Requester } from './requester.ts';

type PromptMethod = 'prompt_user' | 'display_progress' | 'request_permission';

/** What the operating system grants, once, at the start: nothing of it can be given to a process that runs. */
const decidedAtStart: ReadonlySet<PermissionKind> = new Set([
  'filesystem',
  'environment',
  'commands',
  'devices',
  'system_control',
]);

/** What a plugin asks and shows the client whose call it works on. */
export function promptRequests(requester: Requester): Readonly<Record<PromptMethod, RequestEntry>> {
  const asking = new Set<OpenCall>();
  return {
    prompt_user: onRequest(hostMethods.prompt_user, async (params, request) => {
      const question = questionOf(requester.plugin, params);
      const call = requester.call(request);
      const prompter = call?.origin.prompter;
      if (call === undefined || prompter?.prompt === undefined) throw nobodyThere(requester.plugin);
      if (asking.has(call)) throw RpcError.of('Busy', 'A question of this call is open. Wait for its answer first.');
      asking.add(call);
      try {
        return { answer: await call.whileAsking(() => answerOf(prompter, question, call, request)) };
      } finally {
        asking.delete(call);
      }
    }),
    display_progress: onRequest(hostMethods.display_progress, ({ message, fraction }, request) => {
      requester.call(request)?.report({ kind: 'report', message, ...(fraction === undefined ? {} : { fraction }) });
      return {};
    }),
    request_permission: onRequest(hostMethods.request_permission, async ({ permission: key }, request) => {
      const permission = parsePermissionKey(key);
      if ('problem' in permission) throw RpcError.of('InvalidParams', permission.problem);
      return await requester.offer(permission, decidedAtStart.has(permission.kind) ? undefined : request);
    }),
  };
}

function questionOf(plugin: string, params: Params<typeof hostMethods.prompt_user>): UserQuestion {
  const { message, kind, options = [] } = params;
  if (kind === 'select' && options.length === 0) {
    throw RpcError.of('InvalidParams', '`options` is required for "select": what the user can choose from.');
  }
  return { plugin, message, kind, options: kind === 'select' ? options : [] };
}

async function answerOf(
  { prompt }: Prompter,
  question: UserQuestion,
  call: OpenCall,
  { signal }: HandlerContext,
): Promise<string | boolean> {
  const gone = AbortSignal.any([signal, call.ended]);
  const answer = await prompt?.(question, gone).catch((error: unknown) => {
    signal.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    throw RpcError.of('NotInteractive', `The question was not answered: ${why}`);
  });
  if (answer !== undefined && fits(question, answer)) return answer;
  throw RpcError.of('NotInteractive', 'The question was not answered: what came back is no answer to it.');
}

function fits({ kind, options }: UserQuestion, answer: unknown): answer is string | boolean {
  if (kind === 'confirm') return typeof answer === 'boolean';
  if (typeof answer !== 'string' || answer.length > hostLimits.answerChars) return false;
  return kind !== 'select' || options.includes(answer);
}

function nobodyThere(plugin: string): RpcError {
  const why = 'no call is open whose client can ask its user';
  return RpcError.of('NotInteractive', `Nobody is there to answer a question of "${plugin}": ${why}.`);
}
