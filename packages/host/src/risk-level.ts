/** How much harm a permission allows, least first. `permit/risk.ts` decides it; the policy names it. */
export const riskLevels = ['low', 'medium', 'high', 'critical'] as const;
export type RiskLevel = (typeof riskLevels)[number];
