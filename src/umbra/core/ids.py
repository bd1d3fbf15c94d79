from typing import NewType

UserId = NewType("UserId", int)
SessionId = NewType("SessionId", int)
AuthenticatorId = NewType("AuthenticatorId", int)
ChallengeId = NewType("ChallengeId", int)

LARGEST_ID = 2**31 - 1
"""The seed's integer keys are 32 bits wide on PostgreSQL; a larger number can name nothing."""
