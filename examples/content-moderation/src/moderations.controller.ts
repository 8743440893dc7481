import { BadRequestException, Body, Controller, Get, HttpCode, Param, Post, UseFilters } from '@nestjs/common';
import type { ReviewAnswer } from './checks/stand-in-reviewer.js';
import { FlowcraftErrorFilter } from './flowcraft-error.filter.js';
import { ModerationsService, type ModerationState, type Submission } from './moderations.service.js';

@Controller('moderations')
@UseFilters(FlowcraftErrorFilter)
export class ModerationsController {
  constructor(private readonly moderations: ModerationsService) {}

  /** Accepts a text. The answer comes at once; the verdict is at `GET /moderations/:id`. */
  @Post()
  @HttpCode(202)
  async submit(@Body() body: unknown): Promise<{ id: string; href: string }> {
    const id = await this.moderations.submit(submissionOf(body));
    return { id, href: `/moderations/${id}` };
  }

  /** The ids of the texts that await a reviewer. */
  @Get()
  async queue(): Promise<{ awaiting: string[] }> {
    return { awaiting: await this.moderations.queue() };
  }

  @Get(':id')
  async state(@Param('id') id: string): Promise<ModerationState> {
    return this.moderations.state(id);
  }

  /** Answers for the reviewer: `{ "action": "approve" | "reject", "reviewer": "kim", "note": "..." }`. */
  @Post(':id/review')
  @HttpCode(202)
  async review(@Param('id') id: string, @Body() body: unknown): Promise<{ id: string; href: string }> {
    await this.moderations.review(id, answerOf(body));
    return { id, href: `/moderations/${id}` };
  }
}

function submissionOf(body: unknown): Submission {
  const { text, channel, id } = fieldsOf(body, ['text', 'channel', 'id']);
  if (text === undefined || text.trim() === '' || text.length > 10_000)
    throw new BadRequestException('text must have 1 to 10000 characters that are not all blanks.');
  return { text, ...(channel === undefined ? {} : { channel }), ...(id === undefined ? {} : { id }) };
}

function answerOf(body: unknown): ReviewAnswer {
  const { action, reviewer, note } = fieldsOf(body, ['action', 'reviewer', 'note']);
  if (action !== 'approve' && action !== 'reject') throw new BadRequestException('action must be approve or reject.');
  if (reviewer === undefined || reviewer.trim() === '') throw new BadRequestException('reviewer must say who decided.');
  return { action, reviewer, ...(note === undefined ? {} : { note }) };
}

/** These fields of a JSON object, each of which is a text, or absent. */
function fieldsOf<Name extends string>(body: unknown, names: readonly Name[]): Partial<Record<Name, string>> {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new BadRequestException('The body must be a JSON object.');
  const fields: Partial<Record<Name, string>> = {};
  for (const name of names) {
    const value: unknown = (body as Record<string, unknown>)[name];
    if (value === undefined || value === null) continue;
    if (typeof value !== 'string' || value === '')
      throw new BadRequestException(`${name} must be a text with at least one character.`);
    fields[name] = value;
  }
  return fields;
}
