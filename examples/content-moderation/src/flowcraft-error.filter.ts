import { Catch, HttpException, HttpStatus, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { ErrorCode, FlowcraftKafkaError } from 'nestjs-flowcraft-kafka';

const STATUS: Partial<Record<ErrorCode, HttpStatus>> = {
  [ErrorCode.ArgumentInvalid]: HttpStatus.BAD_REQUEST,
  [ErrorCode.RunNotFound]: HttpStatus.NOT_FOUND,
  [ErrorCode.RunIdInvalid]: HttpStatus.BAD_REQUEST,
  [ErrorCode.RunIdConflict]: HttpStatus.CONFLICT,
  [ErrorCode.NodeNotAwaiting]: HttpStatus.CONFLICT,
  [ErrorCode.RunEnded]: HttpStatus.CONFLICT,
  [ErrorCode.ValueTooLarge]: HttpStatus.PAYLOAD_TOO_LARGE,
};

/** Errors have codes, so that an API can answer with the status that fits. */
@Catch(FlowcraftKafkaError)
export class FlowcraftErrorFilter implements ExceptionFilter<FlowcraftKafkaError> {
  constructor(private readonly host: HttpAdapterHost) {}

  catch(error: FlowcraftKafkaError, context: ArgumentsHost): void {
    const unknown = error.retryable ? HttpStatus.SERVICE_UNAVAILABLE : HttpStatus.INTERNAL_SERVER_ERROR;
    const status = STATUS[error.code] ?? unknown;
    const body = new HttpException({ statusCode: status, code: error.code, message: error.message }, status);
    this.host.httpAdapter.reply(context.switchToHttp().getResponse(), body.getResponse(), status);
  }
}
