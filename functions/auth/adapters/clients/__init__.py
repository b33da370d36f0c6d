"""Clients of services outside: KMS, SES, PortOne, Kakao, Naver and Google."""
